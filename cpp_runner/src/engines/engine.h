// An engine runs a graph. Each backend has one file in this folder and one line in engine.cpp.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "bytes.h"
#include "package/manifest.h"
#include "tensor.h"

namespace edge_ptf::core {

// An output that the caller reads. The sizes have no batch axis; kTokens stands for the number of tokens of the text.
struct OutputSpec {
  static constexpr size_t kTokens = 0;
  std::string name;
  std::vector<size_t> shape;
};

// What runs the graph other than the processor. An empty name or path: nothing.
struct Accelerator {
  std::string provider;          // of ONNX Runtime, such as "cuda"
  std::string provider_library;  // a plugin of ONNX Runtime that has the provider
  std::string cache_folder;      // where the provider keeps what it builds
  std::string engine_folder;     // where `edge-ptf build-engine` put engines that TensorRT runs
  bool cuda_graphs = true;       // of these engines
};

struct EngineOptions {
  EngineSettings settings;
  Accelerator accelerator;
  std::string payload;  // the digest of the package
  size_t max_length = 0;
  std::vector<OutputSpec> outputs;
};

// One loaded graph. Many threads may use it, each with its own call.
class Engine {
 public:
  // The memory for the runs of one thread.
  class Call {
   public:
    virtual ~Call() = default;
    // Runs one text. `inputs` holds every input of the graph, in any order, all of the same length from 1 to
    // max_length. `outputs` receives the tensors of EngineOptions::outputs in their order; they are valid until the
    // next run.
    virtual void run(const std::vector<InputTensor>& inputs, std::vector<Tensor>& outputs) = 0;
    // Makes the run of another thread, and every later run until reset(), fail soon.
    virtual void stop() = 0;
    virtual void reset() = 0;
  };

  virtual ~Engine() = default;
  virtual std::unique_ptr<Call> call() const = 0;
  // Whether this processor computes the integer products of the graph exactly (docs/package.md, section 6).
  virtual bool is_exact() const = 0;
};

// What a backend registers.
struct EngineKind {
  std::string_view name;                         // as in `requires.engines`
  const std::vector<std::string_view>& formats;  // of graphs
  const std::string& (*version)();
  // `model` is needed during this call only.
  std::unique_ptr<Engine> (*make)(Bytes model, const Graph& graph, const EngineOptions& options);
  bool is_prebuilt;  // it runs what was built from the graph before, in Accelerator::engine_folder
};

// The first engine that runs the format of the graph and has at least the version that `required` names. Without an
// entry in `required` the engine is not used. With an engine folder: the engine that runs what lies there; the key of
// the files names its version, not `required`. Throws if there is none.
const EngineKind& engine_for(const Graph& graph, const std::map<std::string, std::string>& required,
                             const Accelerator& accelerator);

// Whether a version such as "1.23" is at least another one. Throws if one is not a version.
bool is_version_at_least(std::string_view version, std::string_view least);

// Names and versions of all engines: "onnxruntime 1.32.0".
const std::string& engine_versions();

}  // namespace edge_ptf::core
