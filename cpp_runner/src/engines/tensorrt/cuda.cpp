#include "engines/tensorrt/cuda.h"

#include "error.h"

namespace edge_ptf::core {

void cuda(cudaError_t status, const char* call) {
  if (status == cudaSuccess) {
    return;
  }
  const std::string reason = std::string(call) + ": " + cudaGetErrorString(status);
  (void)cudaGetLastError();  // the next call starts without this error
  if (status == cudaErrorMemoryAllocation) {
    unavailable("no memory left on the GPU (" + reason + ")");
  }
  unavailable("CUDA failed (" + reason + ")");
}

Gpu current_gpu() {
  Gpu found;
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status != cudaSuccess || count == 0) {
    const std::string reason = status == cudaSuccess ? "CUDA finds none" : cudaGetErrorString(status);
    (void)cudaGetLastError();
    unavailable("options: engine_folder needs an NVIDIA GPU with its driver (" + reason +
                "); check it with nvidia-smi");
  }
  cuda(cudaGetDevice(&found.device), "cudaGetDevice");
  cudaDeviceProp properties{};
  cuda(cudaGetDeviceProperties(&properties, found.device), "cudaGetDeviceProperties");
  found.name = properties.name;
  found.compute_capability = 10 * properties.major + properties.minor;
  return found;
}

DeviceScope::DeviceScope(int device) {
  cuda(cudaGetDevice(&before_), "cudaGetDevice");
  if (before_ != device) {
    cuda(cudaSetDevice(device), "cudaSetDevice");
    is_changed_ = true;
  }
}

DeviceScope::~DeviceScope() {
  if (is_changed_) {
    (void)cudaSetDevice(before_);
  }
}

DeviceMemory device_memory(size_t size) {
  void* made = nullptr;
  cuda(cudaMalloc(&made, size), "cudaMalloc");
  return DeviceMemory(made);
}

PinnedMemory pinned_memory(size_t size) {
  void* made = nullptr;
  cuda(cudaMallocHost(&made, size), "cudaMallocHost");
  return PinnedMemory(made);
}

Stream make_stream() {
  cudaStream_t made = nullptr;
  cuda(cudaStreamCreateWithFlags(&made, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
  return Stream(made);
}

ReplayedGraph capture(cudaStream_t stream, const std::function<void()>& work) {
  struct GraphDestroy {
    void operator()(cudaGraph_t graph) const { (void)cudaGraphDestroy(graph); }
  };
  // Other threads may allocate memory meanwhile.
  cuda(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), "cudaStreamBeginCapture");
  cudaGraph_t made = nullptr;
  try {
    work();
  } catch (...) {
    (void)cudaStreamEndCapture(stream, &made);
    (void)cudaGetLastError();
    const std::unique_ptr<std::remove_pointer_t<cudaGraph_t>, GraphDestroy> owner(made);
    throw;
  }
  cuda(cudaStreamEndCapture(stream, &made), "cudaStreamEndCapture");
  const std::unique_ptr<std::remove_pointer_t<cudaGraph_t>, GraphDestroy> owner(made);
  cudaGraphExec_t graph = nullptr;
  cuda(cudaGraphInstantiate(&graph, made, 0), "cudaGraphInstantiate");
  return ReplayedGraph(graph);
}

}  // namespace edge_ptf::core
