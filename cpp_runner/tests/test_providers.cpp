// Execution providers of ONNX Runtime: how they are set up, and what is said where one is not there. No GPU is used.
#include "edge_ptf.hpp"
#include "engines/providers.h"
#include "fixtures.h"

using edge_ptf::core::EngineOptions;
using edge_ptf::core::Error;
using edge_ptf::core::Graph;
using edge_ptf::core::KeysAndValues;
using edge_ptf::core::need_provider;
using edge_ptf::core::provider_setup;
using edge_ptf::core::ProviderSetup;

namespace {

Graph make_graph() {
  Graph graph;
  graph.name = "main";
  graph.inputs = {{"input_ids", "int64", {}}, {"attention_mask", "int64", {}}};
  return graph;
}

EngineOptions make_options(const std::string& provider) {
  EngineOptions options;
  options.payload = "digest";
  options.max_length = 64;
  options.accelerator.provider = provider;
  return options;
}

template <typename Work>
std::pair<edge_ptf_status, std::string> failure_of(Work work) {
  try {
    work();
  } catch (const Error& error) {
    return {error.status(), error.what()};
  } catch (const edge_ptf::Failure& failure) {
    return {failure.status(), failure.what()};
  }
  return {EDGE_PTF_OK, ""};
}

std::vector<float> logits(const edge_ptf::Options& options) {
  edge_ptf::Answer answer(edge_ptf::Runner(fixture("intents.eptf"), options));
  const edge_ptf_tensor found = answer.ask("turn on the lights").tensor();
  return {found.values, found.values + found.shape[0]};
}

}  // namespace

TEST_CASE("the processor needs no provider") {
  for (const char* name : {"", "cpu"}) {
    const ProviderSetup setup = provider_setup(make_graph(), make_options(name));
    CHECK(setup.kind == nullptr);
    CHECK(setup.options.empty());
    CHECK_NOTHROW(need_provider(setup, {}, "1.2.3"));
  }
}

TEST_CASE("CUDA computes FP32 as FP32") {
  const ProviderSetup setup = provider_setup(make_graph(), make_options("cuda"));
  CHECK(setup.kind->ort == "CUDAExecutionProvider");
  CHECK(setup.options == KeysAndValues{{"device_id", "0"}, {"use_tf32", "0"}});
}

TEST_CASE("TensorRT gets the types of the graph, the range of lengths, and a folder that belongs to the package") {
  Graph graph = make_graph();
  EngineOptions options = make_options("tensorrt");
  const KeysAndValues lengths = {{"trt_profile_min_shapes", "input_ids:1x1,attention_mask:1x1"},
                                 {"trt_profile_opt_shapes", "input_ids:1x16,attention_mask:1x16"},
                                 {"trt_profile_max_shapes", "input_ids:1x64,attention_mask:1x64"}};
  KeysAndValues wanted = {{"device_id", "0"}};
  wanted.insert(wanted.end(), lengths.begin(), lengths.end());
  CHECK(provider_setup(graph, options).options == wanted);
  CHECK(provider_setup(graph, options).folder.empty());

  graph.scheme.precision = "int8";
  graph.scheme.non_int8 = "fp16";
  options.accelerator.cache_folder = "/cache";
  wanted = {
      {"device_id", "0"}, {"trt_int8_enable", "1"}, {"trt_fp16_enable", "1"}, {"trt_layer_norm_fp32_fallback", "1"}};
  wanted.insert(wanted.end(), lengths.begin(), lengths.end());
  wanted.insert(wanted.end(), {{"trt_engine_cache_enable", "1"},
                               {"trt_engine_cache_path", "/cache/digest/tensorrt"},
                               {"trt_timing_cache_enable", "1"},
                               {"trt_timing_cache_path", "/cache/digest/tensorrt"}});
  const ProviderSetup setup = provider_setup(graph, options);
  CHECK(setup.options == wanted);
  CHECK(setup.folder == "/cache/digest/tensorrt");
  CHECK(setup.context_file.empty());

  options.max_length = 8;
  graph.scheme = {};
  CHECK(provider_setup(graph, options).options[2].second == "input_ids:1x8,attention_mask:1x8");
  graph.scheme.precision = "fp16";
  CHECK(provider_setup(graph, options).options[1].first == "trt_fp16_enable");
}

TEST_CASE("TensorRT-RTX keeps the built engine in a model of its own") {
  EngineOptions options = make_options("nv-tensorrt-rtx");
  CHECK(provider_setup(make_graph(), options).options == KeysAndValues{{"device_id", "0"}});
  options.accelerator.cache_folder = "/cache";
  options.accelerator.provider_library = "/lib/plugin.so";
  const ProviderSetup setup = provider_setup(make_graph(), options);
  CHECK(setup.library == "/lib/plugin.so");
  CHECK(setup.options == KeysAndValues{{"nv_runtime_cache_path", "/cache/digest/nv-tensorrt-rtx"}});
  CHECK(setup.context_file == "/cache/digest/nv-tensorrt-rtx/main.onnx");
  CHECK_NOTHROW(need_provider(setup, {"CPUExecutionProvider"}, "1.2.3"));  // the plugin brings it
  Graph graph = make_graph();
  graph.name = "../main";
  CHECK(failure_of([&] { provider_setup(graph, options); }).second ==
        "manifest.json: the graph '../main' cannot be kept in a folder under its name");
}

TEST_CASE("options that do not go together are refused with what is allowed") {
  const auto refusal = [](const EngineOptions& options) {
    const auto [status, message] = failure_of([&] { provider_setup(make_graph(), options); });
    CHECK(status == EDGE_PTF_BAD_INPUT);
    return message;
  };
  CHECK(refusal(make_options("tensort")) ==
        "options: the provider 'tensort' does not exist (allowed: cpu, cuda, tensorrt, nv-tensorrt-rtx)");
  EngineOptions options = make_options("");
  options.accelerator.provider_library = "plugin.so";
  CHECK(refusal(options) ==
        "options: provider_library needs a provider other than cpu (allowed: cpu, cuda, tensorrt, nv-tensorrt-rtx)");
  for (const char* name : {"cpu", "cuda"}) {
    options = make_options(name);
    options.accelerator.cache_folder = "/cache";
    CHECK(refusal(options) == std::string("options: the provider '") + name +
                                  "' builds nothing that cache_folder could keep (tensorrt and nv-tensorrt-rtx do)");
  }
}

TEST_CASE("a provider that ONNX Runtime lacks is named with those that it has") {
  const ProviderSetup setup = provider_setup(make_graph(), make_options("tensorrt"));
  const auto [status, message] = failure_of([&] {
    need_provider(setup, {"AzureExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"}, "1.32.0");
  });
  CHECK(status == EDGE_PTF_ENVIRONMENT);
  CHECK(message ==
        "options: ONNX Runtime 1.32.0 has no provider 'tensorrt' (it has: cpu, cuda); run with an ONNX Runtime built "
        "with it, or name its plugin in provider_library");
  CHECK_NOTHROW(need_provider(setup, {"TensorrtExecutionProvider", "CPUExecutionProvider"}, "1.32.0"));
}

TEST_CASE("a package is opened with a provider") {
  edge_ptf::Options options;
  const std::vector<float> before = logits(options);
  options.provider = "cpu";
  CHECK(logits(options) == before);
  const std::string path = fixture("intents.eptf");
  const edge_ptf_options given = options.c_options();
  CHECK(edge_ptf_verify(path.c_str(), &given, nullptr) == EDGE_PTF_OK);
  options.provider = "nothing";
  CHECK(failure_of([&] { edge_ptf::Runner(path, options); }).first == EDGE_PTF_BAD_INPUT);
  options.provider = "nv-tensorrt-rtx";
  options.provider_library = "/no/such/plugin.so";
  const auto [status, message] = failure_of([&] { edge_ptf::Runner(path, options); });
  CHECK(status == EDGE_PTF_ENVIRONMENT);
  CHECK(message.find("/no/such/plugin.so") != std::string::npos);
}

#ifndef EDGE_PTF_TENSORRT
TEST_CASE("without TensorRT an engine folder is refused") {
  edge_ptf::Options options;
  options.engine_folder = "engines";
  const auto [status, message] = failure_of([&] { edge_ptf::Runner(fixture("intents.eptf"), options); });
  CHECK(status == EDGE_PTF_ENVIRONMENT);
  CHECK(
      message.find("options: engine_folder needs TensorRT, which this runner was built without (engines: onnxruntime); "
                   "build it with -DEDGE_PTF_TENSORRT=ON") != std::string::npos);
}
#endif
