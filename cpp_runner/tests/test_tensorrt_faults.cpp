// The engine for TensorRT, with a FAKE of TensorRT and CUDA: every call that fails is reported, and nothing leaks.
#include "built_engine.h"

namespace {

struct Fault {
  const char* function;
  const char* message;
};

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::string shown(const std::pair<edge_ptf_status, std::string>& failure) {
  return std::to_string(failure.first) + ": " + failure.second;
}

}  // namespace

TEST_CASE("a call of CUDA or TensorRT that fails while an engine is opened is reported") {
  for (const Fault& fault : {Fault{"cudaGetDeviceCount", "needs an NVIDIA GPU with its driver (unknown error)"},
                             Fault{"cudaGetDevice", "CUDA failed (cudaGetDevice: unknown error)"},
                             Fault{"cudaGetDeviceProperties", "CUDA failed (cudaGetDeviceProperties: unknown error)"},
                             Fault{"createInferRuntime", "TensorRT cannot start here (fake failure)"},
                             Fault{"deserializeCudaEngine", "TensorRT does not load it (fake failure); build it on"}}) {
    BuiltEngine built;
    built.write();
    fake_tensorrt::fail(fault.function);
    const auto failure = failure_of([&] { built.open(); });
    INFO(shown(failure));
    CHECK(failure.first == EDGE_PTF_ENVIRONMENT);
    CHECK(contains(failure.second, fault.message));
    CHECK(fake_tensorrt::alive() == 0);
    CHECK_NOTHROW(built.open());
  }
}

TEST_CASE("a call of CUDA that fails while memory is allocated is reported") {
  for (const char* function : {"cudaStreamCreateWithFlags", "cudaMalloc", "cudaMallocHost"}) {
    for (int number = 1; number <= (std::string(function) == "cudaStreamCreateWithFlags" ? 1 : 3); ++number) {
      BuiltEngine built;
      built.write();
      {
        const auto engine = built.open();
        fake_tensorrt::fail(function, number, cudaErrorMemoryAllocation);
        const auto failure = failure_of([&] { engine->call(); });
        INFO(shown(failure));
        CHECK(failure.first == EDGE_PTF_ENVIRONMENT);
        CHECK(failure.second == std::string("no memory left on the GPU (") + function + ": out of memory)");
        CHECK(fake_tensorrt::alive() == 2);
        CHECK(answer(*engine->call(), Text(3)) == expected(Text(3)));
      }
      CHECK(fake_tensorrt::alive() == 0);
    }
  }
}

TEST_CASE("a call of CUDA or TensorRT that fails in a run is reported, and the next run answers") {
  const std::vector<Fault> faults = {
      {"createExecutionContext", "TensorRT has no memory for a text (fake failure)"},
      {"setOptimizationProfileAsync", "TensorRT has no memory for a text (fake failure)"},
      {"setTensorAddress", "TensorRT does not take the memory of a text (fake failure)"},
      {"setInputShape", "TensorRT does not take a text of 8 tokens (fake failure)"},
      {"getTensorShape", "the output 'logits' of the engine has another size for 8 tokens"},
      {"cudaMemcpyAsync", "CUDA failed (cudaMemcpyAsync: unknown error)"},
      {"enqueueV3", "TensorRT does not run the text (fake failure)"},
      {"cudaStreamSynchronize", "CUDA failed (cudaStreamSynchronize: unknown error)"},
      {"cudaStreamBeginCapture",
       "CUDA failed (cudaStreamBeginCapture: unknown error); if it fails again, switch cuda_graphs off"},
      {"cudaStreamEndCapture",
       "CUDA failed (cudaStreamEndCapture: unknown error); if it fails again, switch cuda_graphs off"},
      {"cudaGraphInstantiate",
       "CUDA failed (cudaGraphInstantiate: unknown error); if it fails again, switch cuda_graphs off"},
      {"cudaGraphLaunch", "CUDA failed (cudaGraphLaunch: unknown error)"},
      {"cudaGetDevice", "CUDA failed (cudaGetDevice: unknown error)"},
  };
  for (const Fault& fault : faults) {
    const std::string function = fault.function;
    const bool repeats = function == "setTensorAddress" || function == "cudaMemcpyAsync" || function == "enqueueV3";
    // Copies and runs are given to the stream for the first text, and again for the capture.
    const int most = function == "cudaMemcpyAsync" ? 6 : function == "setTensorAddress" ? 3 : repeats ? 2 : 1;
    for (int number = 1; number <= most; ++number) {
      BuiltEngine built;
      built.write();
      {
        const auto engine = built.open();
        const auto call = engine->call();
        if (function == "cudaGraphLaunch") {
          answer(*call, Text(5));
        }
        fake_tensorrt::fail(function, number);
        const auto failure = failure_of([&] { answer(*call, Text(3)); });
        INFO(function, " ", number, " ", shown(failure));
        CHECK(failure.first == (function == "getTensorShape" ? EDGE_PTF_FAILED : EDGE_PTF_ENVIRONMENT));
        CHECK(contains(failure.second, fault.message));
        for (const size_t length : {size_t{3}, size_t{8}, size_t{11}, size_t{2}}) {
          CHECK(answer(*call, Text(length)) == expected(Text(length)));
        }
        CHECK(fake_tensorrt::alive("graph") == 0);
      }
      CHECK(fake_tensorrt::alive() == 0);
    }
  }
}

TEST_CASE("without a GPU an engine folder is refused") {
  BuiltEngine built;
  built.write();
  fake_tensorrt::machine().gpus = 0;
  const auto failure = failure_of([&] { built.open(); });
  CHECK(failure.first == EDGE_PTF_ENVIRONMENT);
  CHECK(
      failure.second ==
      "options: engine_folder needs an NVIDIA GPU with its driver (no CUDA-capable device is detected); check it with "
      "nvidia-smi");
}

TEST_CASE("an engine whose tensors differ from the manifest is refused") {
  struct Difference {
    void (*change)(BuiltEngine& built);
    const char* message;
  };
  const std::vector<Difference> differences = {
      {[](BuiltEngine& built) { built.engine["tensors"][0]["name"] = "other"; },
       "its input 'other' is not one of the manifest, int64 or int32 with two axes"},
      {[](BuiltEngine& built) { built.engine["tensors"][1]["type"] = "float32"; }, "its input 'attention_mask' is not"},
      {[](BuiltEngine& built) { built.engine["tensors"][1]["shape"] = {-1}; }, "its input 'attention_mask' is not"},
      {[](BuiltEngine& built) { built.engine["tensors"].erase(1); }, "it has other inputs than the manifest says"},
      {[](BuiltEngine& built) { built.engine["tensors"].erase(2); }, "it has no output 'logits'"},
      {[](BuiltEngine& built) { built.engine["tensors"][2]["type"] = "int8"; },
       "its output 'logits' is neither float32 nor float16"},
      {[](BuiltEngine& built) {
         built.engine["tensors"][2]["shape"] = {-1, 4};
       },
       "its output 'logits' has another shape than the head in the manifest"},
      {[](BuiltEngine& built) {
         built.engine["tensors"][2]["shape"] = {-1, -1, 3};
       },
       "has another shape than the head"},
      {[](BuiltEngine& built) { built.engine["tensors"][2]["shape"] = nlohmann::json::array(); }, "is neither float32"},
      {[](BuiltEngine& built) {
         built.engine["profiles"][1] = {10, 16};
       },
       "it takes no text of 9 tokens, and the package takes 1 to 32"},
      {[](BuiltEngine& built) { built.engine["profiles"].erase(2); }, "it takes no text of 17 tokens"},
      {[](BuiltEngine& built) {
         built.engine["profiles"][0] = {0, 8};
       },
       "its optimisation profile 0 is not one of single texts"},
  };
  for (const Difference& difference : differences) {
    BuiltEngine built;
    difference.change(built);
    built.write();
    const auto failure = failure_of([&] { built.open(); });
    INFO(shown(failure));
    CHECK(failure.first == EDGE_PTF_ENVIRONMENT);
    CHECK(failure.second.rfind(built.path() + ": it", 0) == 0);
    CHECK(contains(failure.second, difference.message));
    CHECK(contains(failure.second, "; build it on this machine: edge-ptf build-engine PACKAGE --out DIR"));
    CHECK(fake_tensorrt::alive() == 0);
  }
}
