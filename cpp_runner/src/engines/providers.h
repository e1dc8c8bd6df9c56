// The execution providers of ONNX Runtime that may run a graph, and how each is set up. Nothing here calls ONNX
// Runtime.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engines/engine.h"

namespace edge_ptf::core {

struct ProviderKind {
  std::string_view name;  // as the options name it
  std::string_view ort;   // as ONNX Runtime lists it
  std::string_view
      append_name;  // for OrtApi::SessionOptionsAppendExecutionProvider; empty: it has a function of its own
};

using KeysAndValues = std::vector<std::pair<std::string, std::string>>;

struct ProviderSetup {
  const ProviderKind* kind = nullptr;  // null: the processor
  std::string library;                 // a plugin; empty: the provider is built in
  KeysAndValues options;               // of the provider
  std::string folder;                  // of what the provider keeps; empty: it keeps nothing
  std::string context_file;            // in `folder`: a model that holds the built engine; empty: there is no such
};

// How the accelerator of `options` is set up for a graph. Refuses names and combinations that do not exist.
ProviderSetup provider_setup(const Graph& graph, const EngineOptions& options);

// Fails if an ONNX Runtime that has the providers `present`, in its words, lacks the one of the setup. `version` is
// that of ONNX Runtime.
void need_provider(const ProviderSetup& setup, const std::vector<std::string>& present, const std::string& version);

}  // namespace edge_ptf::core
