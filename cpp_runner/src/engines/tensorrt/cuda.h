// Owners of what CUDA gives. Every failed call becomes an Error with the name of the call.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

namespace edge_ptf::core {

// Fails if a call of CUDA did.
void cuda(cudaError_t status, const char* call);

struct Gpu {
  int device = 0;
  std::string name;
  int compute_capability = 0;  // 87 for 8.7
};

// The GPU that this thread uses.
Gpu current_gpu();

// Makes a GPU the one that this thread uses, as long as the object lives.
class DeviceScope {
 public:
  explicit DeviceScope(int device);
  ~DeviceScope();
  DeviceScope(const DeviceScope&) = delete;
  DeviceScope& operator=(const DeviceScope&) = delete;

 private:
  int before_ = 0;
  bool is_changed_ = false;
};

struct DeviceFree {
  void operator()(void* memory) const { (void)cudaFree(memory); }
};
struct PinnedFree {
  void operator()(void* memory) const { (void)cudaFreeHost(memory); }
};
struct StreamFree {
  void operator()(cudaStream_t stream) const { (void)cudaStreamDestroy(stream); }
};
struct GraphFree {
  void operator()(cudaGraphExec_t graph) const { (void)cudaGraphExecDestroy(graph); }
};
using DeviceMemory = std::unique_ptr<void, DeviceFree>;
using PinnedMemory = std::unique_ptr<void, PinnedFree>;
using Stream = std::unique_ptr<std::remove_pointer_t<cudaStream_t>, StreamFree>;
using ReplayedGraph = std::unique_ptr<std::remove_pointer_t<cudaGraphExec_t>, GraphFree>;

DeviceMemory device_memory(size_t size);
PinnedMemory pinned_memory(size_t size);
Stream make_stream();

// A graph of what `work` gives to the stream. Nothing of it is executed.
ReplayedGraph capture(cudaStream_t stream, const std::function<void()>& work);

}  // namespace edge_ptf::core
