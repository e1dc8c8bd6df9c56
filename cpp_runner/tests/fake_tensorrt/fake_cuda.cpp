// FAKE of the CUDA runtime: memory is that of the processor, and the work of a stream is done when it is synchronized.
#include <cstdlib>
#include <cstring>
#include <mutex>

#include "fake.h"

namespace {

using Work = std::function<cudaError_t()>;

struct Failure {
  int left = 0;
  cudaError_t status = cudaSuccess;
};

struct State {
  std::mutex mutex;
  fake_tensorrt::Machine machine;
  std::map<std::string, int> alive, calls;
  std::map<std::string, Failure> failures;
  std::map<std::string, std::function<void()>> hooks;
  std::function<void(fake_tensorrt::Run&)> compute;
};

State& state() {
  static State all;
  return all;
}

thread_local int current_device = 0;
thread_local cudaError_t last_error = cudaSuccess;
thread_local int captures = 0;  // of this thread

cudaError_t said(cudaError_t status) {
  last_error = status == cudaSuccess ? last_error : status;
  return status;
}

// A call that allocates, which a thread must not make while it captures.
cudaError_t allocating(const char* function) {
  const cudaError_t status = fake_tensorrt::enter(function);
  return said(status == cudaSuccess && captures > 0 ? cudaErrorStreamCaptureUnsupported : status);
}

}  // namespace

struct CUgraph_st {
  std::vector<Work> work;
};
struct CUgraphExec_st {
  std::vector<Work> work;
};
struct CUstream_st {
  std::vector<Work> work;  // not done yet
  CUgraph_st* captured = nullptr;
};

namespace fake_tensorrt {

Machine& machine() {
  return state().machine;
}

void compute(std::function<void(Run&)> work) {
  state().compute = std::move(work);
}

int alive(const std::string& kind) {
  const std::lock_guard<std::mutex> lock(state().mutex);
  return state().alive[kind];
}

int alive() {
  const std::lock_guard<std::mutex> lock(state().mutex);
  int total = 0;
  for (const auto& [kind, count] : state().alive) {
    total += count;
  }
  return total;
}

int calls(const std::string& function) {
  const std::lock_guard<std::mutex> lock(state().mutex);
  return state().calls[function];
}

void fail(const std::string& function, int number, cudaError_t status) {
  const std::lock_guard<std::mutex> lock(state().mutex);
  state().failures[function] = {number, status};
}

void at(const std::string& function, std::function<void()> work) {
  const std::lock_guard<std::mutex> lock(state().mutex);
  state().hooks[function] = std::move(work);
}

void reset() {
  const std::lock_guard<std::mutex> lock(state().mutex);
  state().machine = {};
  state().calls.clear();
  state().failures.clear();
  state().hooks.clear();
  state().compute = nullptr;
  last_error = cudaSuccess;
  current_device = 0;
}

cudaError_t enter(const char* function) {
  std::function<void()> hook;
  cudaError_t status = cudaSuccess;
  {
    const std::lock_guard<std::mutex> lock(state().mutex);
    ++state().calls[function];
    const auto failure = state().failures.find(function);
    if (failure != state().failures.end() && --failure->second.left == 0) {
      status = failure->second.status;
    }
    const auto found = state().hooks.find(function);
    hook = found == state().hooks.end() ? nullptr : found->second;
  }
  if (hook) {
    hook();
  }
  return status;
}

void born(const char* kind) {
  const std::lock_guard<std::mutex> lock(state().mutex);
  ++state().alive[kind];
}

void died(const char* kind) {
  const std::lock_guard<std::mutex> lock(state().mutex);
  --state().alive[kind];
}

void give(cudaStream_t stream, std::function<cudaError_t()> work) {
  (stream->captured == nullptr ? stream->work : stream->captured->work).push_back(std::move(work));
}

void execute(Run& run) {
  if (state().compute) {
    state().compute(run);
    return;
  }
  const auto value = [&](const char* name, size_t token, int64_t otherwise) {
    const auto found = run.inputs.find(name);
    return static_cast<double>(found == run.inputs.end() ? otherwise : found->second[token]);
  };
  for (auto& [name, values] : run.outputs) {
    const std::vector<int64_t>& shape = run.shapes.at(name);
    const auto labels = static_cast<size_t>(shape.back());
    const bool is_tokens = shape.size() == 3;
    double visible = 0;
    for (size_t token = 0; token < run.length; ++token) {
      visible += value("attention_mask", token, 1) * value("input_ids", token, 0);
    }
    for (size_t i = 0; i < values.size(); ++i) {
      const double factor = static_cast<double>(i % labels) + 1;
      double sum = is_tokens ? value("input_ids", i / labels, 0) * factor + visible : 0;
      for (size_t token = 0; !is_tokens && token < run.length; ++token) {
        sum += value("attention_mask", token, 1) *
               (value("input_ids", token, 0) * factor + value("token_type_ids", token, 0));
      }
      values[i] = static_cast<float>(sum);
    }
  }
}

}  // namespace fake_tensorrt

using fake_tensorrt::born;
using fake_tensorrt::died;
using fake_tensorrt::enter;

namespace {

template <typename Object>
cudaError_t made(Object** out, const char* kind) {
  *out = new Object();
  born(kind);
  return cudaSuccess;
}

template <typename Object>
cudaError_t destroyed(Object* object, const char* kind) {
  if (object != nullptr) {
    delete object;
    died(kind);
  }
  return cudaSuccess;
}

cudaError_t allocated(void** memory, size_t size, const char* kind) {
  *memory = std::malloc(size);
  std::memset(*memory, 0xFF, size);  // NaN, if it is read before it is written
  born(kind);
  return cudaSuccess;
}

cudaError_t freed(void* memory, const char* kind) {
  if (memory != nullptr) {
    std::free(memory);
    died(kind);
  }
  return cudaSuccess;
}

}  // namespace

const char* cudaGetErrorString(cudaError_t error) {
  switch (error) {
    case cudaSuccess: return "no error";
    case cudaErrorMemoryAllocation: return "out of memory";
    case cudaErrorNoDevice: return "no CUDA-capable device is detected";
    case cudaErrorIllegalAddress: return "an illegal memory access was encountered";
    case cudaErrorStreamCaptureUnsupported: return "operation not permitted when stream is capturing";
    default: return "unknown error";
  }
}

cudaError_t cudaGetLastError() {
  const cudaError_t found = last_error;
  last_error = cudaSuccess;
  return found;
}

cudaError_t cudaGetDeviceCount(int* count) {
  *count = fake_tensorrt::machine().gpus;
  const cudaError_t status = enter("cudaGetDeviceCount");
  return said(status == cudaSuccess && *count == 0 ? cudaErrorNoDevice : status);
}

cudaError_t cudaGetDevice(int* device) {
  *device = current_device;
  return said(enter("cudaGetDevice"));
}

cudaError_t cudaSetDevice(int device) {
  const cudaError_t status = enter("cudaSetDevice");
  current_device = status == cudaSuccess ? device : current_device;
  return said(status);
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int) {
  const fake_tensorrt::Machine& machine = fake_tensorrt::machine();
  *properties = {};
  machine.name.copy(properties->name, sizeof properties->name - 1);
  properties->major = machine.major;
  properties->minor = machine.minor;
  return said(enter("cudaGetDeviceProperties"));
}

cudaError_t cudaMalloc(void** memory, size_t size) {
  const cudaError_t status = allocating("cudaMalloc");
  return status == cudaSuccess ? allocated(memory, size, "device memory") : status;
}

cudaError_t cudaFree(void* memory) {
  return freed(memory, "device memory");
}

cudaError_t cudaMallocHost(void** memory, size_t size) {
  const cudaError_t status = allocating("cudaMallocHost");
  return status == cudaSuccess ? allocated(memory, size, "pinned memory") : status;
}

cudaError_t cudaFreeHost(void* memory) {
  return freed(memory, "pinned memory");
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t count, cudaMemcpyKind, cudaStream_t stream) {
  const cudaError_t status = enter("cudaMemcpyAsync");
  if (status == cudaSuccess) {
    fake_tensorrt::give(stream, [to, from, count] {
      std::memcpy(to, from, count);
      return cudaSuccess;
    });
  }
  return said(status);
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned int) {
  const cudaError_t status = allocating("cudaStreamCreateWithFlags");
  return status == cudaSuccess ? made(stream, "stream") : status;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  return destroyed(stream, "stream");
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  cudaError_t status = enter("cudaStreamSynchronize");
  if (stream->captured != nullptr) {
    return said(cudaErrorStreamCaptureUnsupported);
  }
  const std::vector<Work> work = std::move(stream->work);
  stream->work.clear();
  for (const Work& each : work) {
    const cudaError_t done = each();
    status = status == cudaSuccess ? done : status;
  }
  return said(status);
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  const cudaError_t status = enter("cudaStreamBeginCapture");
  if (status != cudaSuccess) {
    return said(status);
  }
  ++captures;
  return made(&stream->captured, "graph");
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  const cudaError_t status = enter("cudaStreamEndCapture");
  --captures;
  *graph = stream->captured;
  stream->captured = nullptr;
  if (status != cudaSuccess) {
    (void)destroyed(*graph, "graph");
    *graph = nullptr;
  }
  return said(status);
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long) {
  const cudaError_t status = enter("cudaGraphInstantiate");
  if (status != cudaSuccess) {
    return said(status);
  }
  (void)made(executable, "graph executable");
  (*executable)->work = graph->work;
  return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream) {
  const cudaError_t status = enter("cudaGraphLaunch");
  for (size_t i = 0; status == cudaSuccess && i < executable->work.size(); ++i) {
    fake_tensorrt::give(stream, executable->work[i]);
  }
  return said(status);
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  return destroyed(graph, "graph");
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
  return destroyed(executable, "graph executable");
}
