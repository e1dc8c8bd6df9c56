#include "engines/tensorrt/tensorrt_engine.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "engines/tensorrt/engine_key.h"
#include "package/archive.h"
#include "sha256.h"

namespace edge_ptf::core {
namespace {

using nvinfer1::DataType;
using nvinfer1::Dims;
using nvinfer1::OptProfileSelector;

constexpr const char* kLibrary = "tensorrt";
constexpr const char* kMask = "attention_mask";
constexpr size_t kLongestLogLine = 300;

const std::string& tensorrt_version() {
  static const std::string text = [] {
    const int32_t number = getInferLibVersion();  // 100300 for 10.3.0
    return std::to_string(number / 10000) + "." + std::to_string(number / 100 % 100) + "." +
           std::to_string(number % 100);
  }();
  return text;
}

std::unique_ptr<MappedFile> open_beside(const std::string& engine, const std::string& file) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(file, ignored)) {
    unfit_engine(engine, file == engine ? "there is no such engine" : file + " is not beside it");
  }
  return std::make_unique<MappedFile>(file);
}

}  // namespace

void TensorRtLog::log(Severity severity, nvinfer1::AsciiChar const* message) noexcept {
  if (severity > Severity::kERROR || message == nullptr) {
    return;
  }
  try {
    std::string line(message);
    line.resize(std::min({line.size(), line.find('\n'), kLongestLogLine}));
    const std::lock_guard<std::mutex> lock(mutex_);
    last_ = std::move(line);
  } catch (...) {  // an error of TensorRT without its reason
    return;
  }
}

std::string TensorRtLog::last() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return last_;
}

TensorRtEngine::TensorRtEngine(Bytes model, const Graph& graph, EngineOptions options)
    : options_(std::move(options)), gpu_(current_gpu()) {
  path_ = engine_path(options_.accelerator.engine_folder, graph.name, gpu_.compute_capability);
  const std::unique_ptr<MappedFile> engine = open_beside(path_, path_);
  const std::string beside = key_path(path_);
  const EngineKey key = parse_key(open_beside(path_, beside)->bytes(), beside);
  check_key(key,
            {options_.payload, sha256(model), kLibrary, tensorrt_version(), gpu_.name, gpu_.compute_capability, ""},
            engine->bytes(), path_);
  load(engine->bytes());
  for (int32_t i = 0; i < engine_->getNbIOTensors(); ++i) {
    const char* name = engine_->getIOTensorName(i);
    engine_->getTensorIOMode(name) == nvinfer1::TensorIOMode::kINPUT ? read_input(name, graph) : read_output(name);
  }
  if (inputs_.size() != graph.inputs.size()) {
    unfit_engine(path_, "it has other inputs than the manifest says");
  }
  for (size_t i = 0; i < options_.outputs.size(); ++i) {
    const auto reads = [i](const EngineOutput& each) { return each.wanted == i; };
    if (std::none_of(outputs_.begin(), outputs_.end(), reads)) {
      unfit_engine(path_, "it has no output " + in_quotes(options_.outputs[i].name));
    }
  }
  read_buckets();
}

void TensorRtEngine::load(Bytes content) {
  runtime_.reset(nvinfer1::createInferRuntime(log_));
  if (runtime_ == nullptr) {
    unavailable("TensorRT cannot start here (" + log_.last() + ")");
  }
  engine_.reset(runtime_->deserializeCudaEngine(content.data, content.size));
  if (engine_ == nullptr) {
    unfit_engine(path_, "TensorRT does not load it (" + log_.last() + ")");
  }
}

void TensorRtEngine::read_input(const char* name, const Graph& graph) {
  const auto is_named = [name](const TensorEntry& each) { return each.name == name; };
  const DataType type = engine_->getTensorDataType(name);
  if (std::none_of(graph.inputs.begin(), graph.inputs.end(), is_named) ||
      (type != DataType::kINT64 && type != DataType::kINT32) || engine_->getTensorShape(name).nbDims != 2) {
    unfit_engine(path_, "its input " + in_quotes(name) + " is not one of the manifest, int64 or int32 with two axes");
  }
  inputs_.push_back({name, type == DataType::kINT64, std::string_view(name) == kMask});
  may_pad_ = may_pad_ || inputs_.back().is_mask;
}

// An output that no head reads needs memory all the same.
void TensorRtEngine::read_output(const char* name) {
  const DataType type = engine_->getTensorDataType(name);
  const Dims dims = engine_->getTensorShape(name);
  if ((type != DataType::kFLOAT && type != DataType::kHALF) || dims.nbDims < 1) {
    unfit_engine(path_, "its output " + in_quotes(name) + " is neither float32 nor float16");
  }
  EngineOutput output;
  output.spec.name = name;
  output.is_half = type == DataType::kHALF;
  for (int32_t axis = 1; axis < dims.nbDims; ++axis) {
    output.spec.shape.push_back(dims.d[axis] > 0 ? static_cast<size_t>(dims.d[axis]) : OutputSpec::kTokens);
  }
  for (size_t i = 0; i < options_.outputs.size(); ++i) {
    if (options_.outputs[i].name == name) {
      output.wanted = i;
      if (output.spec.shape != options_.outputs[i].shape) {
        unfit_engine(path_, "its output " + in_quotes(name) + " has another shape than the head in the manifest");
      }
    }
  }
  outputs_.push_back(output);
}

void TensorRtEngine::read_buckets() {
  for (int32_t profile = 0; profile < engine_->getNbOptimizationProfiles(); ++profile) {
    Bucket bucket;
    for (const EngineInput& input : inputs_) {
      const Dims least = engine_->getProfileShape(input.name.c_str(), profile, OptProfileSelector::kMIN);
      const Dims most = engine_->getProfileShape(input.name.c_str(), profile, OptProfileSelector::kMAX);
      const bool is_first = &input == &inputs_.front();
      const bool is_text = least.nbDims == 2 && most.nbDims == 2 && least.d[0] == 1 && most.d[0] >= 1 &&
                           least.d[1] > 0 && most.d[1] >= least.d[1];
      if (!is_text || (!is_first && (static_cast<size_t>(least.d[1]) != bucket.least ||
                                     static_cast<size_t>(most.d[1]) != bucket.most))) {
        unfit_engine(path_, "its optimisation profile " + std::to_string(profile) + " is not one of single texts");
      }
      bucket = {static_cast<size_t>(least.d[1]), static_cast<size_t>(most.d[1])};
    }
    buckets_.push_back(bucket);
  }
  check_buckets(buckets_, options_.max_length, path_);
}

std::unique_ptr<nvinfer1::IExecutionContext> TensorRtEngine::context(size_t bucket, cudaStream_t stream) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::unique_ptr<nvinfer1::IExecutionContext> made(engine_->createExecutionContext());
  if (made == nullptr || !made->setOptimizationProfileAsync(static_cast<int32_t>(bucket), stream)) {
    unavailable("TensorRT has no memory for a text (" + log_.last() + ")");
  }
  return made;
}

std::unique_ptr<Engine::Call> TensorRtEngine::call() const {
  return make_tensorrt_call(*this);
}

EngineKind tensorrt_engine() {
  static const std::vector<std::string_view> formats = {"onnx"};
  const auto make_engine = [](Bytes model, const Graph& graph,
                              const EngineOptions& options) -> std::unique_ptr<Engine> {
    return std::make_unique<TensorRtEngine>(model, graph, options);
  };
  return {kLibrary, formats, tensorrt_version, make_engine, /*is_prebuilt=*/true};
}

}  // namespace edge_ptf::core
