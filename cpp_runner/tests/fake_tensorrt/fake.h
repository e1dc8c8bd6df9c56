// How the tests use the FAKES of CUDA and TensorRT. What the fake GPU computes is arithmetic on the processor. It says
// nothing about the speed or the results of a real one.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace fake_tensorrt {

// The GPU, and the version of TensorRT (100300 for 10.3.0).
struct Machine {
  int gpus = 1;
  std::string name = "Fake Orin";
  int major = 8, minor = 7;
  int32_t version = 100300;
};
Machine& machine();

// What one run of an engine reads and writes.
struct Run {
  size_t length = 0;                                   // of each input
  std::map<std::string, std::vector<int64_t>> inputs;  // each of `length` values
  std::map<std::string, std::vector<float>> outputs;   // to be set: each of as many values as its shape says
  std::map<std::string, std::vector<int64_t>> shapes;  // of the outputs
};

// What engines compute. By default: for the label l of an output [batch, label] the sum over all tokens of
// mask * (id * (l + 1) + type); for a token and the label l of an output [batch, token, label] its id * (l + 1) plus
// the sum of mask * id over all tokens. So padding changes an answer unless the mask hides it.
void compute(std::function<void(Run&)> work);

// Objects that exist now, by kind: "device memory", "pinned memory", "stream", "graph", "graph executable", "runtime",
// "engine", "context".
int alive(const std::string& kind);
int alive();  // all together
// How often a function was called, such as "cudaGraphLaunch".
int calls(const std::string& function);
// The call number `number`, counted from now and from 1, of a function fails. CUDA gives `status`; TensorRT gives false
// or null, and logs "fake failure".
void fail(const std::string& function, int number = 1, cudaError_t status = cudaErrorUnknown);
// `work` is called whenever a function is.
void at(const std::string& function, std::function<void()> work);
// As if the process had just started. Objects that exist stay.
void reset();

// For the fakes themselves: counts a call. cudaSuccess, or the failure that a test asked for.
cudaError_t enter(const char* function);
void born(const char* kind);
void died(const char* kind);
// Gives work to a stream. It is executed when the stream is synchronized, or recorded if the stream is being captured.
void give(cudaStream_t stream, std::function<cudaError_t()> work);
void execute(Run& run);

}  // namespace fake_tensorrt
