#include <onnxruntime_cxx_api.h>

#include <algorithm>
#include <array>
#include <optional>

#include "engine.h"

namespace edge_ptf {
namespace {

enum class Input { kIds, kMask, kTypes };

Input input_named(const std::string& name) {
  if (name == "input_ids") {
    return Input::kIds;
  }
  if (name == "attention_mask") {
    return Input::kMask;
  }
  if (name == "token_type_ids") {
    return Input::kTypes;
  }
  refuse("the graph has an input '" + name + "' that this runner does not know");
}

const Ort::Env& environment() {
  if (OrtGetApiBase()->GetApi(ORT_API_VERSION) == nullptr) {
    throw Error(EDGE_PTF_ENVIRONMENT, std::string("ONNX Runtime ") + OrtGetApiBase()->GetVersionString() +
                                          " is older than the one this runner was built with");
  }
  static const Ort::Env shared(ORT_LOGGING_LEVEL_FATAL, "edge-ptf");
  return shared;
}

// ONNX Runtime's own exceptions never leave this file.
template <typename Work>
auto translated(edge_ptf_status status, const char* what, Work work) {
  try {
    return work();
  } catch (const Ort::Exception& error) {
    std::string reason = error.what();
    reason = reason.substr(0, std::min<size_t>(reason.find('\n'), 300));
    throw Error(status, std::string(what) + " (" + reason + ")");
  }
}

class OnnxRuntimeEngine final : public Engine {
 public:
  OnnxRuntimeEngine(Bytes model, const Graph& graph, std::string output, EngineOptions options)
      : options_(std::move(options)), inputs_(graph.inputs), output_(std::move(output)) {
    for (const std::string& name : inputs_) {
      kinds_.push_back(input_named(name));
      input_names_.push_back(name.c_str());
    }
    if (graph.outputs.empty() ||
        std::find(graph.outputs.begin(), graph.outputs.end(), output_) == graph.outputs.end()) {
      refuse("the graph has no output '" + output_ + "'");
    }
    const EngineSettings& settings = options_.settings;
    session_ = translated(EDGE_PTF_BAD_INPUT, "the model cannot be loaded by ONNX Runtime", [&] {
      Ort::SessionOptions session;
      session.SetIntraOpNumThreads(settings.threads);
      session.SetInterOpNumThreads(1);
      session.SetLogSeverityLevel(ORT_LOGGING_LEVEL_FATAL);  // errors are returned, not printed
      session.AddConfigEntry("session.intra_op.allow_spinning", settings.spinning ? "1" : "0");
      if (!settings.affinity.empty() && settings.threads > 1) {
        session.AddConfigEntry("session.intra_op_thread_affinities", settings.affinity.c_str());
      }
      if (!settings.arena) {
        session.DisableCpuMemArena();
      }
      return Ort::Session(environment(), model.data, model.size, session);
    });
    check_tensors();
  }

  std::unique_ptr<Call> call() const override;

 private:
  friend class OnnxRuntimeCall;

  // The graph takes and gives what the manifest says; buffers are sized by it.
  void check_tensors() const {
    if (session_.GetInputCount() != inputs_.size()) {
      fail("the graph has other inputs than the manifest says");
    }
    Ort::AllocatorWithDefaultOptions allocator;
    for (size_t i = 0; i < inputs_.size(); ++i) {
      if (inputs_[i] != session_.GetInputNameAllocated(i, allocator).get() ||
          !is_tensor(session_.GetInputTypeInfo(i), ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64, 2)) {
        fail("the graph has other inputs than the manifest says");
      }
    }
    for (size_t i = 0; i < session_.GetOutputCount(); ++i) {
      if (output_ == session_.GetOutputNameAllocated(i, allocator).get()) {
        if (!is_tensor(session_.GetOutputTypeInfo(i), ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT,
                       options_.per_token ? 3 : 2)) {
          fail("the graph's output is of another form than its task needs");
        }
        return;
      }
    }
    fail("the graph has no output '" + output_ + "'");
  }

  static bool is_tensor(const Ort::TypeInfo& info, ONNXTensorElementDataType type, size_t rank) {
    if (info.GetONNXType() != ONNX_TYPE_TENSOR) {
      return false;
    }
    const auto tensor = info.GetTensorTypeAndShapeInfo();
    return tensor.GetElementType() == type && tensor.GetDimensionsCount() == rank;
  }

  EngineOptions options_;
  std::vector<std::string> inputs_;
  std::vector<Input> kinds_;
  std::vector<const char*> input_names_;
  std::string output_;
  // Run is safe from many threads (onnxruntime_c_api.h), and not const.
  mutable Ort::Session session_{nullptr};
};

// Tensors are made once for each length, over buffers that stay; after that a run allocates nothing outside the engine.
class OnnxRuntimeCall final : public Engine::Call {
 public:
  explicit OnnxRuntimeCall(const OnnxRuntimeEngine& engine)
      : engine_(engine),
        memory_(Ort::MemoryInfo::CreateCpu(OrtDeviceAllocator, OrtMemTypeCPU)),
        lengths_(engine.options_.max_length + 1) {}

  Logits run(const int64_t* ids, const int64_t* types, size_t length) override {
    if (length == 0 || length > engine_.options_.max_length) {
      refuse(std::to_string(length) + " tokens; the package takes 1 to " + std::to_string(engine_.options_.max_length));
    }
    grow(length);
    std::copy_n(ids, length, ids_.begin());
    std::copy_n(types, length, types_.begin());
    const size_t rows = engine_.options_.per_token ? length : 1;
    translated(EDGE_PTF_FAILED, "the model does not take this text", [&] {
      std::optional<Tensors>& tensors = lengths_[length];
      if (!tensors) {
        tensors.emplace(make(length));
      }
      const char* output = engine_.output_.c_str();
      engine_.session_.Run(run_options_, engine_.input_names_.data(), tensors->inputs.data(), tensors->inputs.size(),
                           &output, &tensors->output, 1);
    });
    return {logits_.data(), rows, engine_.options_.columns};
  }

 private:
  struct Tensors {
    std::vector<Ort::Value> inputs;
    Ort::Value output{nullptr};
  };

  // Buffers double, so that a package for long texts costs a short text little; tensors over the old ones are dropped.
  void grow(size_t length) {
    if (length <= ids_.size()) {
      return;
    }
    const size_t most = engine_.options_.max_length;
    const size_t size = std::min(most, std::max<size_t>(2 * length, 64));
    std::fill(lengths_.begin(), lengths_.end(), std::nullopt);
    ids_.resize(size);
    types_.resize(size);
    mask_.assign(size, 1);
    logits_.resize((engine_.options_.per_token ? size : 1) * engine_.options_.columns);
  }

  Tensors make(size_t length) {
    const std::array<int64_t, 2> shape = {1, static_cast<int64_t>(length)};
    Tensors tensors;
    for (const Input kind : engine_.kinds_) {
      std::vector<int64_t>& buffer = kind == Input::kIds ? ids_ : kind == Input::kMask ? mask_ : types_;
      tensors.inputs.push_back(
          Ort::Value::CreateTensor<int64_t>(memory_, buffer.data(), length, shape.data(), shape.size()));
    }
    const auto columns = static_cast<int64_t>(engine_.options_.columns);
    const std::array<int64_t, 3> out = {1, static_cast<int64_t>(length), columns};
    const std::array<int64_t, 2> flat = {1, columns};
    tensors.output = engine_.options_.per_token
                         ? Ort::Value::CreateTensor<float>(memory_, logits_.data(), length * engine_.options_.columns,
                                                           out.data(), out.size())
                         : Ort::Value::CreateTensor<float>(memory_, logits_.data(), engine_.options_.columns,
                                                           flat.data(), flat.size());
    return tensors;
  }

  const OnnxRuntimeEngine& engine_;
  Ort::MemoryInfo memory_;
  Ort::RunOptions run_options_;
  std::vector<int64_t> ids_, types_, mask_;
  std::vector<float> logits_;
  std::vector<std::optional<Tensors>> lengths_;
};

std::unique_ptr<Engine::Call> OnnxRuntimeEngine::call() const {
  return std::make_unique<OnnxRuntimeCall>(*this);
}

}  // namespace

std::unique_ptr<Engine> make_onnxruntime_engine(Bytes model, const Graph& graph, const std::string& output,
                                                const EngineOptions& options) {
  return std::make_unique<OnnxRuntimeEngine>(model, graph, output, options);
}

const std::string& engine_version() {
  static const std::string version = std::string("onnxruntime ") + OrtGetApiBase()->GetVersionString();
  return version;
}

}  // namespace edge_ptf
