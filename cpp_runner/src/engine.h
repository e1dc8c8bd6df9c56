// What executes a graph. One file a backend: engine_onnxruntime.cpp.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "bytes.h"
#include "manifest.h"

namespace edge_ptf {

// The logits of one text: [columns] (rows is 1) or [rows, columns], valid until the next run of their call.
struct Logits {
  const float* values = nullptr;
  size_t rows = 0;
  size_t columns = 0;
};

// One graph, ready to run. May be used from many threads, each with a call of its own.
class Engine {
 public:
  // The memory of one thread's runs.
  class Call {
   public:
    virtual ~Call() = default;
    // Token ids and types of one text, unpadded; both have `length` items, at least 1 and at most max_length.
    virtual Logits run(const int64_t* ids, const int64_t* types, size_t length) = 0;
  };

  virtual ~Engine() = default;
  virtual std::unique_ptr<Call> call() const = 0;
};

struct EngineOptions {
  EngineSettings settings;
  size_t max_length = 0;
  size_t columns = 0;      // classes
  bool per_token = false;  // logits for each token
};

// `model` is needed during this call only.
std::unique_ptr<Engine> make_onnxruntime_engine(Bytes model, const Graph& graph, const std::string& output,
                                                const EngineOptions& options);

// Name and version of what is linked, such as "onnxruntime 1.32.0".
const std::string& engine_version();

}  // namespace edge_ptf
