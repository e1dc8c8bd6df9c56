// An engine of TensorRT, and its run of one text at a time.
#pragma once

#include <NvInferRuntime.h>

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "engines/engine.h"
#include "engines/tensorrt/buckets.h"
#include "engines/tensorrt/cuda.h"

namespace edge_ptf::core {

// Keeps the last error of TensorRT. Several threads of it may call.
class TensorRtLog final : public nvinfer1::ILogger {
 public:
  void log(Severity severity, nvinfer1::AsciiChar const* message) noexcept override;
  std::string last() const;

 private:
  mutable std::mutex mutex_;
  std::string last_;
};

struct EngineInput {
  std::string name;
  bool is_64_bits = true;
  bool is_mask = false;

  size_t bytes(size_t length) const { return length * (is_64_bits ? sizeof(int64_t) : sizeof(int32_t)); }
};

struct EngineOutput {
  static constexpr size_t kUnread = static_cast<size_t>(-1);
  OutputSpec spec;
  bool is_half = false;
  size_t wanted = kUnread;  // an index of EngineOptions::outputs

  size_t bytes(size_t length) const {
    return element_count(spec, length) * (is_half ? sizeof(uint16_t) : sizeof(float));
  }
};

class TensorRtEngine final : public Engine {
 public:
  TensorRtEngine(Bytes model, const Graph& graph, EngineOptions options);

  std::unique_ptr<Call> call() const override;
  // The GPU adds integer products up in 32 bits, and nothing is left to the processor.
  bool is_exact() const override { return true; }

  const EngineOptions& options() const { return options_; }
  const Gpu& gpu() const { return gpu_; }
  const std::vector<EngineInput>& inputs() const { return inputs_; }
  const std::vector<EngineOutput>& outputs() const { return outputs_; }
  const std::vector<Bucket>& buckets() const { return buckets_; }
  const TensorRtLog& log() const { return log_; }
  // Only a mask makes padding harmless.
  bool may_pad() const { return may_pad_; }
  // A context for texts of a bucket, with all work in the stream.
  std::unique_ptr<nvinfer1::IExecutionContext> context(size_t bucket, cudaStream_t stream) const;

 private:
  void load(Bytes content);
  void read_input(const char* name, const Graph& graph);
  void read_output(const char* name);
  void read_buckets();

  EngineOptions options_;
  Gpu gpu_;
  std::string path_;
  TensorRtLog log_;
  std::unique_ptr<nvinfer1::IRuntime> runtime_;
  std::unique_ptr<nvinfer1::ICudaEngine> engine_;
  mutable std::mutex mutex_;  // of what is not const in TensorRT
  std::vector<EngineInput> inputs_;
  std::vector<EngineOutput> outputs_;
  std::vector<Bucket> buckets_;
  bool may_pad_ = false;
};

// The run of one text. Defined beside its class.
std::unique_ptr<Engine::Call> make_tensorrt_call(const TensorRtEngine& engine);

}  // namespace edge_ptf::core
