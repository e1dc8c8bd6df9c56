#include "engines/providers.h"

#include <algorithm>
#include <array>

#include "registry.h"

namespace edge_ptf::core {
namespace {

constexpr std::string_view kCpu = "cpu";
constexpr std::string_view kCuda = "cuda";
constexpr std::string_view kTensorRt = "tensorrt";
constexpr std::string_view kRtx = "nv-tensorrt-rtx";
constexpr size_t kTypicalLength = 16;  // in tokens: what an engine is tuned for

constexpr std::array<ProviderKind, 4> kProviders = {{
    {kCpu, "CPUExecutionProvider", ""},
    {kCuda, "CUDAExecutionProvider", ""},
    {kTensorRt, "TensorrtExecutionProvider", ""},
    {kRtx, "NvTensorRTRTXExecutionProvider", "NvTensorRtRtx"},
}};

const ProviderKind& provider_named(const std::string& name) {
  for (const ProviderKind& kind : kProviders) {
    if (kind.name == name) {
      return kind;
    }
  }
  refuse("options: the provider " + in_quotes(name) + " does not exist (allowed: " + listed(kProviders) + ")");
}

// The shape of each input for one text of that length: "input_ids:1x16,attention_mask:1x16".
std::string input_shapes(const Graph& graph, size_t length) {
  std::string shapes;
  for (const TensorEntry& input : graph.inputs) {
    shapes.append(shapes.empty() ? "" : ",").append(input.name).append(":1x").append(std::to_string(length));
  }
  return shapes;
}

void set_up_tensorrt(const Graph& graph, size_t longest, ProviderSetup& setup) {
  if (graph.scheme.precision == "int8") {
    setup.options.emplace_back("trt_int8_enable", "1");
  }
  if (graph.scheme.precision == "fp16" || graph.scheme.non_int8 == "fp16") {
    setup.options.emplace_back("trt_fp16_enable", "1");
    setup.options.emplace_back("trt_layer_norm_fp32_fallback", "1");
  }
  // Without the range of lengths the engine is built again for each length that is new.
  setup.options.emplace_back("trt_profile_min_shapes", input_shapes(graph, 1));
  setup.options.emplace_back("trt_profile_opt_shapes", input_shapes(graph, std::min(kTypicalLength, longest)));
  setup.options.emplace_back("trt_profile_max_shapes", input_shapes(graph, longest));
  if (!setup.folder.empty()) {
    for (const char* kept : {"trt_engine_cache", "trt_timing_cache"}) {
      setup.options.emplace_back(std::string(kept) + "_enable", "1");
      setup.options.emplace_back(std::string(kept) + "_path", setup.folder);
    }
  }
}

// TensorRT-RTX takes the range of lengths from the graph.
void set_up_rtx(const Graph& graph, ProviderSetup& setup) {
  if (!setup.folder.empty()) {
    setup.options.emplace_back("nv_runtime_cache_path", setup.folder);
    setup.context_file = setup.folder + "/" + graph.name + ".onnx";
  }
}

// The name of a graph comes from the package, and becomes the name of a file.
void check_file_name(const std::string& name) {
  const auto is_plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  };
  if (name.empty() || !std::all_of(name.begin(), name.end(), is_plain)) {
    refuse("manifest.json: the graph " + in_quotes(name) + " cannot be kept in a folder under its name");
  }
}

}  // namespace

ProviderSetup provider_setup(const Graph& graph, const EngineOptions& options) {
  const Accelerator& wanted = options.accelerator;
  const ProviderKind& kind = provider_named(wanted.provider.empty() ? std::string(kCpu) : wanted.provider);
  const bool builds = kind.name == kTensorRt || kind.name == kRtx;
  if (kind.name == kCpu && !wanted.provider_library.empty()) {
    refuse("options: provider_library needs a provider other than cpu (allowed: " + listed(kProviders) + ")");
  }
  if (!builds && !wanted.cache_folder.empty()) {
    refuse("options: the provider " + in_quotes(kind.name) +
           " builds nothing that cache_folder could keep (tensorrt and nv-tensorrt-rtx do)");
  }
  ProviderSetup setup;
  if (kind.name == kCpu) {
    return setup;
  }
  setup.kind = &kind;
  setup.library = wanted.provider_library;
  if (setup.library.empty()) {  // a plugin is given its device
    setup.options.emplace_back("device_id", "0");
  }
  if (!wanted.cache_folder.empty()) {
    check_file_name(graph.name);
    setup.folder = wanted.cache_folder + "/" + options.payload + "/" + std::string(kind.name);
  }
  if (kind.name == kCuda) {
    setup.options.emplace_back("use_tf32", "0");  // FP32 stays FP32
  } else if (kind.name == kTensorRt) {
    set_up_tensorrt(graph, options.max_length, setup);
  } else {
    set_up_rtx(graph, setup);
  }
  return setup;
}

void need_provider(const ProviderSetup& setup, const std::vector<std::string>& present, const std::string& version) {
  if (setup.kind == nullptr || !setup.library.empty() ||
      std::find(present.begin(), present.end(), setup.kind->ort) != present.end()) {
    return;
  }
  std::string known;
  for (const ProviderKind& kind : kProviders) {
    if (std::find(present.begin(), present.end(), kind.ort) != present.end()) {
      known.append(known.empty() ? "" : ", ").append(kind.name);
    }
  }
  unavailable("options: ONNX Runtime " + version + " has no provider " + in_quotes(setup.kind->name) + " (it has: " +
              known + "); run with an ONNX Runtime built with it, or name its plugin in provider_library");
}

}  // namespace edge_ptf::core
