// Sessions of ONNX Runtime, on the processor or with another execution provider.
#pragma once

#include <onnxruntime_cxx_api.h>

#include <algorithm>
#include <string>

#include "engines/engine.h"
#include "engines/providers.h"

namespace edge_ptf::core {

// Exceptions of ONNX Runtime never leave the files of its engine. `next` is what to do.
template <typename Work>
auto translated(edge_ptf_status status, const std::string& what, Work work, const std::string& next = "") {
  try {
    return work();
  } catch (const Ort::Exception& error) {
    std::string reason = error.what();
    reason = reason.substr(0, std::min<size_t>(reason.find('\n'), 400));
    throw Error(status, what + " (" + reason + ")" + next);
  }
}

// Loads a model. What the provider of `setup` does not run is run by the processor.
Ort::Session open_session(Bytes model, const EngineSettings& settings, const ProviderSetup& setup);

}  // namespace edge_ptf::core
