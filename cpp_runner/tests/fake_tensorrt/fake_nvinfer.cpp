// FAKE of TensorRT. Its engine is a JSON text:
//   {"fake": "TensorRT", "profiles": [[1, 8], [9, 16]], "tensors": [{"name": "input_ids", "mode": "input",
//    "type": "int64", "shape": [-1, -1]}, {"name": "logits", "mode": "output", "type": "float32", "shape": [-1, 3]}]}
#include <NvInferRuntime.h>

#include <cmath>
#include <cstring>
#include <memory>
#include <nlohmann/json.hpp>

#include "fake.h"

namespace {

using nvinfer1::DataType;
using nvinfer1::Dims;
using nvinfer1::ILogger;

struct TensorInfo {
  std::string name;
  bool is_input = false;
  DataType type = DataType::kFLOAT;
  std::vector<int64_t> shape;  // -1: it changes from call to call
};

// CUDA's status, and an error in the log of TensorRT.
bool enters(const char* function, ILogger* log) {
  if (fake_tensorrt::enter(function) == cudaSuccess) {
    return true;
  }
  log->log(ILogger::Severity::kWARNING, "a warning, which is no error");
  log->log(ILogger::Severity::kERROR, "fake failure\nand a second line");
  return false;
}

DataType type_named(const std::string& name) {
  return name == "int64"     ? DataType::kINT64
         : name == "int32"   ? DataType::kINT32
         : name == "float16" ? DataType::kHALF
         : name == "int8"    ? DataType::kINT8
                             : DataType::kFLOAT;
}

Dims as_dims(const std::vector<int64_t>& shape) {
  Dims dims{static_cast<int32_t>(shape.size()), {}};
  std::copy(shape.begin(), shape.end(), dims.d);
  return dims;
}

// Rounds to the nearest number of 16 bits; for numbers that are neither too large nor too small for them.
uint16_t half(float value) {
  if (value == 0) {
    return 0;
  }
  int exponent = 0;
  const float fraction = std::frexp(std::fabs(value), &exponent);  // from 0.5 to 1
  const auto mantissa = static_cast<uint16_t>(std::lround(std::ldexp(fraction, 11)) - 1024);
  return static_cast<uint16_t>((value < 0 ? 0x8000 : 0) + ((exponent + 14) << 10) + mantissa);
}

class FakeEngine final : public nvinfer1::ICudaEngine {
 public:
  FakeEngine(const nlohmann::json& content, ILogger* logger) : log(logger), profiles(content["profiles"]) {
    for (const nlohmann::json& each : content["tensors"]) {
      tensors.push_back({each["name"], each["mode"] == "input", type_named(each["type"]), each["shape"]});
    }
    fake_tensorrt::born("engine");
  }
  ~FakeEngine() noexcept override { fake_tensorrt::died("engine"); }

  const TensorInfo& tensor(const char* name) const {
    for (const TensorInfo& each : tensors) {
      if (each.name == name) {
        return each;
      }
    }
    std::abort();  // the runner asked for a tensor that it did not get from the engine
  }

  ILogger* log;
  std::vector<std::vector<int64_t>> profiles;
  std::vector<TensorInfo> tensors;
};

class FakeContext final : public nvinfer1::IExecutionContext {
 public:
  explicit FakeContext(const FakeEngine& owner) : engine(owner) { fake_tensorrt::born("context"); }
  ~FakeContext() noexcept override { fake_tensorrt::died("context"); }

  std::vector<int64_t> shape(const char* name) const {
    std::vector<int64_t> found = engine.tensor(name).shape;
    for (size_t axis = 0; axis < found.size(); ++axis) {
      found[axis] = found[axis] < 0 ? (axis == 0 ? 1 : length) : found[axis];
    }
    return found;
  }

  const FakeEngine& engine;
  int64_t profile = -1;
  int64_t length = -1;
  std::map<std::string, void*> addresses;
  std::shared_ptr<int> token = std::make_shared<int>();  // what a graph holds weakly
};

class FakeRuntime final : public nvinfer1::IRuntime {
 public:
  explicit FakeRuntime(ILogger* logger) : log(logger) { fake_tensorrt::born("runtime"); }
  ~FakeRuntime() noexcept override { fake_tensorrt::died("runtime"); }
  ILogger* log;
};

const FakeEngine& fake(const nvinfer1::ICudaEngine* engine) {
  return *static_cast<const FakeEngine*>(engine);
}

template <typename Object, typename... Arguments>
Object* created(Arguments&&... arguments) {
  return std::make_unique<Object>(std::forward<Arguments>(arguments)...).release();
}

// What the GPU does in one run: it reads and writes the memory of the runner.
struct Kernel {
  size_t length = 0;
  std::vector<TensorInfo> tensors;
  std::map<std::string, void*> addresses;
  std::map<std::string, std::vector<int64_t>> shapes;

  cudaError_t operator()() const {
    fake_tensorrt::Run run;
    run.length = length;
    for (const TensorInfo& tensor : tensors) {
      const void* memory = addresses.at(tensor.name);
      if (tensor.is_input && tensor.type == DataType::kINT64) {
        const auto* values = static_cast<const int64_t*>(memory);
        run.inputs[tensor.name].assign(values, values + length);
      } else if (tensor.is_input) {
        const auto* values = static_cast<const int32_t*>(memory);
        run.inputs[tensor.name].assign(values, values + length);
      } else {
        size_t count = 1;
        for (const int64_t size : shapes.at(tensor.name)) {
          count *= static_cast<size_t>(size);
        }
        run.outputs[tensor.name].resize(count);
        run.shapes[tensor.name] = shapes.at(tensor.name);
      }
    }
    fake_tensorrt::execute(run);
    for (const TensorInfo& tensor : tensors) {
      if (tensor.is_input) {
        continue;
      }
      const std::vector<float>& values = run.outputs[tensor.name];
      for (size_t i = 0; i < values.size(); ++i) {
        if (tensor.type == DataType::kHALF) {
          static_cast<uint16_t*>(addresses.at(tensor.name))[i] = half(values[i]);
        } else {
          static_cast<float*>(addresses.at(tensor.name))[i] = values[i];
        }
      }
    }
    return cudaSuccess;
  }
};

}  // namespace

int32_t getInferLibVersion() noexcept {
  return fake_tensorrt::machine().version;
}

void* createInferRuntime_INTERNAL(void* logger, int32_t) noexcept {
  auto* log = static_cast<ILogger*>(logger);
  return enters("createInferRuntime", log) ? static_cast<nvinfer1::IRuntime*>(created<FakeRuntime>(log)) : nullptr;
}

namespace nvinfer1 {

ICudaEngine* IRuntime::deserializeCudaEngine(void const* blob, std::size_t size) noexcept {
  ILogger* log = static_cast<FakeRuntime*>(this)->log;
  const auto* text = static_cast<const char*>(blob);
  if (!enters("deserializeCudaEngine", log)) {
    return nullptr;
  }
  try {
    return created<FakeEngine>(nlohmann::json::parse(text, text + size), log);
  } catch (const std::exception&) {
    log->log(ILogger::Severity::kERROR, "magic tag does not match");
    return nullptr;
  }
}

int32_t ICudaEngine::getNbIOTensors() const noexcept {
  return static_cast<int32_t>(fake(this).tensors.size());
}

char const* ICudaEngine::getIOTensorName(int32_t index) const noexcept {
  return fake(this).tensors[static_cast<size_t>(index)].name.c_str();
}

TensorIOMode ICudaEngine::getTensorIOMode(char const* tensorName) const noexcept {
  return fake(this).tensor(tensorName).is_input ? TensorIOMode::kINPUT : TensorIOMode::kOUTPUT;
}

DataType ICudaEngine::getTensorDataType(char const* tensorName) const noexcept {
  return fake(this).tensor(tensorName).type;
}

Dims ICudaEngine::getTensorShape(char const* tensorName) const noexcept {
  return as_dims(fake(this).tensor(tensorName).shape);
}

int32_t ICudaEngine::getNbOptimizationProfiles() const noexcept {
  return static_cast<int32_t>(fake(this).profiles.size());
}

Dims ICudaEngine::getProfileShape(char const*, int32_t profileIndex, OptProfileSelector select) const noexcept {
  const std::vector<int64_t>& range = fake(this).profiles[static_cast<size_t>(profileIndex)];
  return as_dims({1, select == OptProfileSelector::kMIN ? range[0] : range[1]});
}

// NOLINTNEXTLINE(readability-make-member-function-const): so it is in TensorRT
IExecutionContext* ICudaEngine::createExecutionContext(ExecutionContextAllocationStrategy) noexcept {
  const FakeEngine& engine = fake(this);
  return enters("createExecutionContext", engine.log) ? created<FakeContext>(engine) : nullptr;
}

bool IExecutionContext::setOptimizationProfileAsync(int32_t profileIndex, cudaStream_t) noexcept {
  auto& context = *static_cast<FakeContext*>(this);
  context.profile = profileIndex;
  return enters("setOptimizationProfileAsync", context.engine.log);
}

bool IExecutionContext::setInputShape(char const*, Dims const& dims) noexcept {
  auto& context = *static_cast<FakeContext*>(this);
  const std::vector<int64_t>& range = context.engine.profiles[static_cast<size_t>(context.profile)];
  const bool fits = dims.nbDims == 2 && dims.d[0] == 1 && range[0] <= dims.d[1] && dims.d[1] <= range[1];
  context.length = fits ? dims.d[1] : -1;
  return enters("setInputShape", context.engine.log) && fits;
}

Dims IExecutionContext::getTensorShape(char const* tensorName) const noexcept {
  const auto& context = *static_cast<const FakeContext*>(this);
  // -1: the shape is not known.
  return fake_tensorrt::enter("getTensorShape") == cudaSuccess ? as_dims(context.shape(tensorName)) : Dims{-1, {}};
}

bool IExecutionContext::setTensorAddress(char const* tensorName, void* data) noexcept {
  auto& context = *static_cast<FakeContext*>(this);
  context.addresses[tensorName] = data;
  return enters("setTensorAddress", context.engine.log);
}

// The addresses and shapes are those of now. A graph that was captured keeps them.
bool IExecutionContext::enqueueV3(cudaStream_t stream) noexcept {
  auto& context = *static_cast<FakeContext*>(this);
  if (!enters("enqueueV3", context.engine.log) || context.length < 0 ||
      context.addresses.size() != context.engine.tensors.size()) {
    return false;
  }
  Kernel kernel{static_cast<size_t>(context.length), context.engine.tensors, context.addresses, {}};
  for (const TensorInfo& tensor : context.engine.tensors) {
    kernel.shapes[tensor.name] = context.shape(tensor.name.c_str());
  }
  const std::weak_ptr<int> owner = context.token;
  fake_tensorrt::give(stream, [kernel, owner] { return owner.expired() ? cudaErrorIllegalAddress : kernel(); });
  return true;
}

}  // namespace nvinfer1
