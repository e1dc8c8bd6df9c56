// ONNX Runtime.
#include <algorithm>
#include <array>
#include <optional>

#include "engines/engine.h"
#include "engines/onnx_check.h"
#include "engines/onnxruntime_session.h"
#include "engines/processor.h"
#include "engines/providers.h"

namespace edge_ptf::core {
namespace {

class OnnxRuntimeEngine final : public Engine {
 public:
  OnnxRuntimeEngine(Bytes model, const Graph& graph, EngineOptions options)
      : options_(std::move(options)), scheme_(graph.scheme) {
    for (const TensorEntry& input : graph.inputs) {
      inputs_.push_back(input.name);
    }
    for (const std::string& name : inputs_) {
      input_names_.push_back(name.c_str());
    }
    for (const OutputSpec& output : options_.outputs) {
      output_names_.push_back(output.name.c_str());
    }
    check_onnx(model);
    const ProviderSetup setup = provider_setup(graph, options_);
    session_ = open_session(model, options_.settings, setup);
    is_exact_ = computes_exactly(scheme_) || (setup.kind != nullptr && scheme_.mode != "dynamic");
    check_inputs();
    for (const OutputSpec& output : options_.outputs) {
      check_output(output);
    }
  }

  std::unique_ptr<Call> call() const override;
  // A provider leaves to the processor what it cannot run. Of INT8 that is the dynamic form.
  bool is_exact() const override { return is_exact_; }

 private:
  friend class OnnxRuntimeCall;

  void check_inputs() const {
    bool same = session_.GetInputCount() == inputs_.size();
    Ort::AllocatorWithDefaultOptions allocator;
    for (size_t i = 0; same && i < inputs_.size(); ++i) {
      const auto shape = tensor_shape(session_.GetInputTypeInfo(i), ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64);
      same = inputs_[i] == session_.GetInputNameAllocated(i, allocator).get() && shape && shape->size() == 2;
    }
    if (!same) {
      fail("the graph has other inputs than the manifest says");
    }
  }

  // The buffers are sized by `wanted`, so the graph must agree with it.
  void check_output(const OutputSpec& wanted) const {
    Ort::AllocatorWithDefaultOptions allocator;
    for (size_t i = 0; i < session_.GetOutputCount(); ++i) {
      if (wanted.name != session_.GetOutputNameAllocated(i, allocator).get()) {
        continue;
      }
      const auto shape = tensor_shape(session_.GetOutputTypeInfo(i), ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT);
      bool same = shape && shape->size() == wanted.shape.size() + 1;
      for (size_t axis = 0; same && axis < wanted.shape.size(); ++axis) {
        const int64_t found = (*shape)[axis + 1];  // not positive: it changes from call to call
        same = found <= 0 ||
               (wanted.shape[axis] != OutputSpec::kTokens && static_cast<size_t>(found) == wanted.shape[axis]);
      }
      if (!same) {
        fail("the output " + in_quotes(wanted.name) + " of the graph has another shape than the head in the manifest");
      }
      return;
    }
    fail("the graph has no output " + in_quotes(wanted.name));
  }

  static std::optional<std::vector<int64_t>> tensor_shape(const Ort::TypeInfo& info, ONNXTensorElementDataType type) {
    if (info.GetONNXType() != ONNX_TYPE_TENSOR) {
      return std::nullopt;
    }
    const auto tensor = info.GetTensorTypeAndShapeInfo();
    return tensor.GetElementType() == type ? std::optional(tensor.GetShape()) : std::nullopt;
  }

  EngineOptions options_;
  Scheme scheme_;
  bool is_exact_ = true;
  std::vector<std::string> inputs_;
  std::vector<const char*> input_names_, output_names_;
  // Run is safe from many threads (onnxruntime_c_api.h), but it is not const.
  mutable Ort::Session session_{nullptr};
};

// The tensors of each length are made once, over buffers that stay. Later runs allocate nothing outside the engine.
class OnnxRuntimeCall final : public Engine::Call {
 public:
  explicit OnnxRuntimeCall(const OnnxRuntimeEngine& engine)
      : engine_(engine),
        memory_(Ort::MemoryInfo::CreateCpu(OrtDeviceAllocator, OrtMemTypeCPU)),
        inputs_(engine.inputs_.size()),
        outputs_(engine.options_.outputs.size()),
        lengths_(engine.options_.max_length + 1) {}

  // ONNX Runtime looks at this between two operators.
  void stop() override { run_options_.SetTerminate(); }
  void reset() override { run_options_.UnsetTerminate(); }

  void run(const std::vector<InputTensor>& inputs, std::vector<Tensor>& outputs) override {
    const size_t length = inputs.empty() ? 0 : inputs.front().length;
    if (length == 0 || length > engine_.options_.max_length) {
      refuse(std::to_string(length) + " tokens; the package takes 1 to " + std::to_string(engine_.options_.max_length));
    }
    grow(length);
    for (size_t i = 0; i < inputs_.size(); ++i) {
      std::copy_n(input(inputs, i, length).values, length, inputs_[i].begin());
    }
    translated(EDGE_PTF_FAILED, "the model does not take this text", [&] {
      std::optional<Values>& values = lengths_[length];
      if (!values) {
        values.emplace(make(length));
      }
      engine_.session_.Run(run_options_, engine_.input_names_.data(), values->inputs.data(), values->inputs.size(),
                           engine_.output_names_.data(), values->outputs.data(), values->outputs.size());
    });
    outputs.resize(outputs_.size());
    for (size_t i = 0; i < outputs_.size(); ++i) {
      const OutputSpec& spec = engine_.options_.outputs[i];
      outputs[i].name = spec.name;
      outputs[i].values = outputs_[i].data();
      outputs[i].rank = spec.shape.size();
      for (size_t axis = 0; axis < spec.shape.size(); ++axis) {
        outputs[i].shape[axis] = size_of(spec.shape[axis], length);
      }
    }
  }

 private:
  struct Values {
    std::vector<Ort::Value> inputs, outputs;
  };

  static size_t size_of(size_t size, size_t length) { return size == OutputSpec::kTokens ? length : size; }

  static size_t count(const OutputSpec& spec, size_t length) {
    size_t total = 1;
    for (const size_t size : spec.shape) {
      total *= size_of(size, length);
    }
    return total;
  }

  const InputTensor& input(const std::vector<InputTensor>& inputs, size_t number, size_t length) const {
    const std::string& name = engine_.inputs_[number];
    for (const InputTensor& each : inputs) {
      if (each.name == name && each.length == length) {
        return each;
      }
    }
    refuse("the input " + in_quotes(name) + " is missing, or has another length");
  }

  // Buffers double, so a package for long texts costs little memory while texts are short. Tensors over the old buffers
  // are dropped.
  void grow(size_t length) {
    if (length <= size_) {
      return;
    }
    size_ = std::min(engine_.options_.max_length, std::max<size_t>(2 * length, 64));
    std::fill(lengths_.begin(), lengths_.end(), std::nullopt);
    for (std::vector<int64_t>& buffer : inputs_) {
      buffer.resize(size_);
    }
    for (size_t i = 0; i < outputs_.size(); ++i) {
      outputs_[i].resize(count(engine_.options_.outputs[i], size_));
    }
  }

  Values make(size_t length) {
    const std::array<int64_t, 2> shape = {1, static_cast<int64_t>(length)};
    Values values;
    for (std::vector<int64_t>& buffer : inputs_) {
      values.inputs.push_back(
          Ort::Value::CreateTensor<int64_t>(memory_, buffer.data(), length, shape.data(), shape.size()));
    }
    for (size_t i = 0; i < outputs_.size(); ++i) {
      const OutputSpec& spec = engine_.options_.outputs[i];
      std::vector<int64_t> out = {1};
      for (const size_t size : spec.shape) {
        out.push_back(static_cast<int64_t>(size_of(size, length)));
      }
      values.outputs.push_back(
          Ort::Value::CreateTensor<float>(memory_, outputs_[i].data(), count(spec, length), out.data(), out.size()));
    }
    return values;
  }

  const OnnxRuntimeEngine& engine_;
  Ort::MemoryInfo memory_;
  Ort::RunOptions run_options_;
  size_t size_ = 0;  // tokens that the buffers have space for
  std::vector<std::vector<int64_t>> inputs_;
  std::vector<std::vector<float>> outputs_;
  std::vector<std::optional<Values>> lengths_;
};

std::unique_ptr<Engine::Call> OnnxRuntimeEngine::call() const {
  return std::make_unique<OnnxRuntimeCall>(*this);
}

const std::string& version() {
  static const std::string text = OrtGetApiBase()->GetVersionString();
  return text;
}

std::unique_ptr<Engine> make(Bytes model, const Graph& graph, const EngineOptions& options) {
  return std::make_unique<OnnxRuntimeEngine>(model, graph, options);
}

}  // namespace

EngineKind onnxruntime_engine() {
  static const std::vector<std::string_view> formats = {"onnx"};
  return {"onnxruntime", formats, version, make, /*is_prebuilt=*/false};
}

}  // namespace edge_ptf::core
