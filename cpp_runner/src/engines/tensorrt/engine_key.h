// What an engine of `edge-ptf build-engine` was built from: the JSON file beside it. Nothing here calls CUDA or
// TensorRT.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bytes.h"

namespace edge_ptf::core {

struct EngineKey {
  std::string payload, graph;    // digests
  std::string library, version;  // such as "tensorrt" and "10.3.0"
  std::string gpu;               // a name; empty: any GPU of the compute capability
  int compute_capability = 0;    // 87 for 8.7
  std::string sha256;            // of the engine
};

// The path of the engine of a graph. That of its key ends with .json instead of .engine.
std::string engine_path(const std::string& folder, const std::string& graph, int compute_capability);
std::string key_path(const std::string& engine);

// Reads the JSON file. `place` names it in messages.
EngineKey parse_key(Bytes document, const std::string& place);

// Fails if an engine was not built from what is here, or if its content is not what the key says. `place` names the
// engine in messages.
void check_key(const EngineKey& key, const EngineKey& here, Bytes engine, const std::string& place);

// Fails with a message that says how to build an engine.
[[noreturn]] void unfit_engine(const std::string& place, const std::string& reason);

}  // namespace edge_ptf::core
