// Compiled against NVIDIA's headers and against the fakes here: what the runner calls has the same signature in each.
// Nothing of it is linked.
#include <NvInferRuntime.h>
#include <cuda_runtime_api.h>

#include <type_traits>

namespace {

using nvinfer1::DataType;
using nvinfer1::Dims;
using nvinfer1::ICudaEngine;
using nvinfer1::IExecutionContext;
using nvinfer1::ILogger;
using nvinfer1::IRuntime;
using nvinfer1::OptProfileSelector;
using nvinfer1::TensorIOMode;

template <typename Wanted, typename Found>
constexpr bool is_same(Found) {
  return std::is_same_v<Wanted, Found>;
}

// Functions that have others of the same name are named by their type alone.
template <typename Wanted>
constexpr bool exists(Wanted) {
  return true;
}

using Name = char const*;
using Status = cudaError_t;

static_assert(is_same<bool (IExecutionContext::*)(int32_t, cudaStream_t) noexcept>(
    &IExecutionContext::setOptimizationProfileAsync));
static_assert(is_same<bool (IExecutionContext::*)(Name, Dims const&) noexcept>(&IExecutionContext::setInputShape));
static_assert(is_same<Dims (IExecutionContext::*)(Name) const noexcept>(&IExecutionContext::getTensorShape));
static_assert(is_same<bool (IExecutionContext::*)(Name, void*) noexcept>(&IExecutionContext::setTensorAddress));
static_assert(is_same<bool (IExecutionContext::*)(cudaStream_t) noexcept>(&IExecutionContext::enqueueV3));
static_assert(is_same<int32_t (ICudaEngine::*)() const noexcept>(&ICudaEngine::getNbIOTensors));
static_assert(is_same<Name (ICudaEngine::*)(int32_t) const noexcept>(&ICudaEngine::getIOTensorName));
static_assert(is_same<TensorIOMode (ICudaEngine::*)(Name) const noexcept>(&ICudaEngine::getTensorIOMode));
static_assert(is_same<DataType (ICudaEngine::*)(Name) const noexcept>(&ICudaEngine::getTensorDataType));
static_assert(is_same<Dims (ICudaEngine::*)(Name) const noexcept>(&ICudaEngine::getTensorShape));
static_assert(is_same<int32_t (ICudaEngine::*)() const noexcept>(&ICudaEngine::getNbOptimizationProfiles));
static_assert(
    is_same<Dims (ICudaEngine::*)(Name, int32_t, OptProfileSelector) const noexcept>(&ICudaEngine::getProfileShape));
static_assert(exists<IExecutionContext* (ICudaEngine::*)(nvinfer1::ExecutionContextAllocationStrategy) noexcept>(
    &ICudaEngine::createExecutionContext));
static_assert(exists<ICudaEngine* (IRuntime::*)(void const*, std::size_t) noexcept>(&IRuntime::deserializeCudaEngine));
static_assert(is_same<IRuntime* (*)(ILogger&) noexcept>(&nvinfer1::createInferRuntime));
static_assert(is_same<void (ILogger::*)(ILogger::Severity, nvinfer1::AsciiChar const*) noexcept>(&ILogger::log));
static_assert(is_same<int32_t (*)() noexcept>(&getInferLibVersion));
static_assert(std::is_same_v<nvinfer1::AsciiChar, char>);
static_assert(std::is_same_v<decltype(Dims::nbDims), int32_t> && std::is_same_v<decltype(Dims::d), int64_t[8]>);
static_assert(Dims::MAX_DIMS == 8 && sizeof(Dims) == 72);
static_assert(std::has_virtual_destructor_v<IExecutionContext> && std::has_virtual_destructor_v<ICudaEngine> &&
              std::has_virtual_destructor_v<IRuntime>);
static_assert(static_cast<int>(DataType::kFLOAT) == 0 && static_cast<int>(DataType::kHALF) == 1 &&
              static_cast<int>(DataType::kINT8) == 2 && static_cast<int>(DataType::kINT32) == 3 &&
              static_cast<int>(DataType::kINT64) == 8);
static_assert(static_cast<int>(TensorIOMode::kINPUT) == 1 && static_cast<int>(TensorIOMode::kOUTPUT) == 2);
static_assert(static_cast<int>(OptProfileSelector::kMIN) == 0 && static_cast<int>(OptProfileSelector::kMAX) == 2);
static_assert(static_cast<int>(ILogger::Severity::kERROR) == 1 && static_cast<int>(ILogger::Severity::kWARNING) == 2);

// The functions of CUDA have templates beside them in some headers, so each is named by its type.
static_assert(exists<Name (*)(Status)>(&cudaGetErrorString));
static_assert(exists<Status (*)()>(&cudaGetLastError));
static_assert(exists<Status (*)(int*)>(&cudaGetDeviceCount));
static_assert(exists<Status (*)(int*)>(&cudaGetDevice));
static_assert(exists<Status (*)(int)>(&cudaSetDevice));
static_assert(exists<Status (*)(cudaDeviceProp*, int)>(&cudaGetDeviceProperties));
static_assert(exists<Status (*)(void**, size_t)>(&cudaMalloc));
static_assert(exists<Status (*)(void*)>(&cudaFree));
static_assert(exists<Status (*)(void**, size_t)>(&cudaMallocHost));
static_assert(exists<Status (*)(void*)>(&cudaFreeHost));
static_assert(exists<Status (*)(void*, const void*, size_t, cudaMemcpyKind, cudaStream_t)>(&cudaMemcpyAsync));
static_assert(exists<Status (*)(cudaStream_t*, unsigned int)>(&cudaStreamCreateWithFlags));
static_assert(exists<Status (*)(cudaStream_t)>(&cudaStreamDestroy));
static_assert(exists<Status (*)(cudaStream_t)>(&cudaStreamSynchronize));
static_assert(exists<Status (*)(cudaStream_t, cudaStreamCaptureMode)>(&cudaStreamBeginCapture));
static_assert(exists<Status (*)(cudaStream_t, cudaGraph_t*)>(&cudaStreamEndCapture));
static_assert(exists<Status (*)(cudaGraphExec_t*, cudaGraph_t, unsigned long long)>(&cudaGraphInstantiate));
static_assert(exists<Status (*)(cudaGraphExec_t, cudaStream_t)>(&cudaGraphLaunch));
static_assert(exists<Status (*)(cudaGraph_t)>(&cudaGraphDestroy));
static_assert(exists<Status (*)(cudaGraphExec_t)>(&cudaGraphExecDestroy));
static_assert(cudaSuccess == 0 && cudaErrorMemoryAllocation == 2 && cudaErrorNoDevice == 100 &&
              cudaErrorIllegalAddress == 700 && cudaErrorStreamCaptureUnsupported == 900 && cudaErrorUnknown == 999);
static_assert(cudaMemcpyHostToDevice == 1 && cudaMemcpyDeviceToHost == 2);
static_assert(cudaStreamNonBlocking == 1);
static_assert(cudaStreamCaptureModeThreadLocal == 1);
static_assert(std::is_same_v<decltype(cudaDeviceProp::name), char[256]>);
static_assert(std::is_same_v<decltype(cudaDeviceProp::major), int>);
static_assert(std::is_same_v<decltype(cudaDeviceProp::minor), int>);

}  // namespace
