#include <algorithm>
#include <atomic>
#include <limits>

#include "engines/tensorrt/tensorrt_engine.h"

namespace edge_ptf::core {
namespace {

// Memory on the GPU, and page-locked memory on the machine from and to which it is copied.
struct Staging {
  size_t bytes = 0;
  DeviceMemory device;
  PinnedMemory pinned;

  explicit Staging(size_t size) : bytes(size), device(device_memory(size)), pinned(pinned_memory(size)) {}
};

// All memory is allocated once, for the longest text. With CUDA graphs each bucket has a graph that is captured at its
// first text and replayed after that; its texts are padded to one length. Without them a text has its own length.
class TensorRtCall final : public Engine::Call {
 public:
  explicit TensorRtCall(const TensorRtEngine& engine)
      : engine_(engine),
        replays_(engine.options().accelerator.cuda_graphs && engine.may_pad()),
        buckets_(engine.buckets().size()) {
    const DeviceScope scope(engine_.gpu().device);
    stream_ = make_stream();
    const size_t longest = engine_.options().max_length;
    for (const EngineInput& input : engine_.inputs()) {
      inputs_.emplace_back(input.bytes(longest));
    }
    for (const EngineOutput& output : engine_.outputs()) {
      outputs_.emplace_back(output.bytes(longest));
    }
    values_.resize(engine_.options().outputs.size());
    for (size_t i = 0; i < values_.size(); ++i) {
      values_[i].resize(element_count(engine_.options().outputs[i], longest));
    }
  }

  void stop() override { stopped_ = true; }
  void reset() override { stopped_ = false; }

  void run(const std::vector<InputTensor>& inputs, std::vector<Tensor>& outputs) override {
    const size_t length = inputs.empty() ? 0 : inputs.front().length;
    const size_t longest = engine_.options().max_length;
    if (length == 0 || length > longest) {
      refuse(std::to_string(length) + " tokens; the package takes 1 to " + std::to_string(longest));
    }
    const size_t bucket = bucket_for(engine_.buckets(), length);
    const size_t padded = replays_ ? std::min(engine_.buckets()[bucket].most, longest) : length;
    check_stopped();
    const DeviceScope scope(engine_.gpu().device);
    for (size_t i = 0; i < inputs_.size(); ++i) {
      fill(i, inputs, length, padded);
    }
    try {
      execute(bucket, padded);
    } catch (const Error&) {
      (void)cudaStreamSynchronize(stream_.get());  // the next text overwrites what the stream may still read
      (void)cudaGetLastError();
      throw;
    }
    give(length, padded, outputs);
  }

 private:
  struct BucketState {
    std::unique_ptr<nvinfer1::IExecutionContext> context;
    ReplayedGraph graph;
    size_t length = 0;  // of the texts that the context is set up for
  };

  void check_stopped() const {
    if (stopped_) {
      throw Error(EDGE_PTF_INTERRUPTED, "the run was stopped");
    }
  }

  // Padding is 0: an id that every vocabulary has, and 0 in the mask.
  void fill(size_t number, const std::vector<InputTensor>& inputs, size_t length, size_t padded) {
    const EngineInput& input = engine_.inputs()[number];
    const auto given = std::find_if(inputs.begin(), inputs.end(), [&](const InputTensor& each) {
      return each.name == input.name && each.length == length;
    });
    if (given == inputs.end()) {
      refuse("the input " + in_quotes(input.name) + " is missing, or has another length");
    }
    if (input.is_64_bits) {
      auto* to = static_cast<int64_t*>(inputs_[number].pinned.get());
      std::fill(std::copy_n(given->values, length, to), to + padded, 0);
      return;
    }
    auto* to = static_cast<int32_t*>(inputs_[number].pinned.get());
    for (size_t i = 0; i < length; ++i) {
      const int64_t value = given->values[i];
      if (value < std::numeric_limits<int32_t>::min() || value > std::numeric_limits<int32_t>::max()) {
        refuse("the input " + in_quotes(input.name) + " has the value " + std::to_string(value) +
               ", and the engine takes 32 bits");
      }
      to[i] = static_cast<int32_t>(value);
    }
    std::fill(to + length, to + padded, 0);
  }

  void execute(size_t bucket, size_t padded) {
    BucketState& state = buckets_[bucket];
    if (state.context == nullptr) {
      set_up(bucket, state);
    }
    if (state.length != padded) {
      set_length(state, padded);
    }
    check_stopped();
    if (replays_ && state.graph != nullptr) {
      cuda(cudaGraphLaunch(state.graph.get(), stream_.get()), "cudaGraphLaunch");
    } else {
      enqueue(state, padded);
    }
    cuda(cudaStreamSynchronize(stream_.get()), "cudaStreamSynchronize");
    check_stopped();
    if (replays_ && state.graph == nullptr) {  // TensorRT needs one run before its work can be captured
      try {
        state.graph = capture(stream_.get(), [&] { enqueue(state, padded); });
      } catch (const Error& error) {
        throw Error(error.status(), std::string(error.what()) + "; if it fails again, switch cuda_graphs off");
      }
    }
  }

  void set_up(size_t bucket, BucketState& state) {
    std::unique_ptr<nvinfer1::IExecutionContext> context = engine_.context(bucket, stream_.get());
    bool is_set = true;
    for (size_t i = 0; i < inputs_.size(); ++i) {
      is_set = is_set && context->setTensorAddress(engine_.inputs()[i].name.c_str(), inputs_[i].device.get());
    }
    for (size_t i = 0; i < outputs_.size(); ++i) {
      is_set = is_set && context->setTensorAddress(engine_.outputs()[i].spec.name.c_str(), outputs_[i].device.get());
    }
    if (!is_set) {
      unavailable("TensorRT does not take the memory of a text (" + engine_.log().last() + ")");
    }
    state.context = std::move(context);
  }

  // The buffers are sized by the specs, so TensorRT must agree with them.
  void set_length(BucketState& state, size_t length) {
    state.length = 0;
    const nvinfer1::Dims dims{2, {1, static_cast<int64_t>(length)}};
    for (const EngineInput& input : engine_.inputs()) {
      if (!state.context->setInputShape(input.name.c_str(), dims)) {
        unavailable("TensorRT does not take a text of " + std::to_string(length) + " tokens (" + engine_.log().last() +
                    ")");
      }
    }
    for (const EngineOutput& output : engine_.outputs()) {
      const nvinfer1::Dims found = state.context->getTensorShape(output.spec.name.c_str());
      size_t size = found.nbDims > 0 && found.nbDims <= nvinfer1::Dims::MAX_DIMS ? 1 : 0;
      for (int32_t axis = 0; size > 0 && axis < found.nbDims; ++axis) {
        size *= found.d[axis] > 0 ? static_cast<size_t>(found.d[axis]) : 0;
      }
      if (size != element_count(output.spec, length)) {
        fail("the output " + in_quotes(output.spec.name) + " of the engine has another size for " +
             std::to_string(length) + " tokens than the manifest says");
      }
    }
    state.length = length;
  }

  void enqueue(const BucketState& state, size_t padded) {
    for (size_t i = 0; i < inputs_.size(); ++i) {
      cuda(cudaMemcpyAsync(inputs_[i].device.get(), inputs_[i].pinned.get(), engine_.inputs()[i].bytes(padded),
                           cudaMemcpyHostToDevice, stream_.get()),
           "cudaMemcpyAsync");
    }
    if (!state.context->enqueueV3(stream_.get())) {
      unavailable("TensorRT does not run the text (" + engine_.log().last() + ")");
    }
    for (size_t i = 0; i < outputs_.size(); ++i) {
      if (engine_.outputs()[i].wanted != EngineOutput::kUnread) {
        cuda(cudaMemcpyAsync(outputs_[i].pinned.get(), outputs_[i].device.get(), engine_.outputs()[i].bytes(padded),
                             cudaMemcpyDeviceToHost, stream_.get()),
             "cudaMemcpyAsync");
      }
    }
  }

  void give(size_t length, size_t padded, std::vector<Tensor>& outputs) {
    outputs.resize(values_.size());
    for (size_t i = 0; i < outputs_.size(); ++i) {
      const EngineOutput& output = engine_.outputs()[i];
      if (output.wanted == EngineOutput::kUnread) {
        continue;
      }
      float* to = values_[output.wanted].data();
      const void* from = outputs_[i].pinned.get();
      if (output.is_half) {
        cut_back(static_cast<const uint16_t*>(from), output.spec, padded, length, to, half_to_float);
      } else {
        cut_back(static_cast<const float*>(from), output.spec, padded, length, to, [](float value) { return value; });
      }
      Tensor& tensor = outputs[output.wanted];
      tensor.name = engine_.options().outputs[output.wanted].name;
      tensor.values = to;
      tensor.rank = output.spec.shape.size();
      for (size_t axis = 0; axis < tensor.rank; ++axis) {
        tensor.shape[axis] = output.spec.shape[axis] == OutputSpec::kTokens ? length : output.spec.shape[axis];
      }
    }
  }

  const TensorRtEngine& engine_;
  const bool replays_;
  std::atomic<bool> stopped_{false};
  Stream stream_;
  std::vector<Staging> inputs_, outputs_;  // in the order of the engine
  std::vector<std::vector<float>> values_;
  std::vector<BucketState> buckets_;  // the last member: its graphs and contexts use the others
};

}  // namespace

std::unique_ptr<Engine::Call> make_tensorrt_call(const TensorRtEngine& engine) {
  return std::make_unique<TensorRtCall>(engine);
}

}  // namespace edge_ptf::core
