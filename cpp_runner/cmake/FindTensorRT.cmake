# TensorRT 10 or 11 and the CUDA runtime, as NVIDIA's archives or JetPack's packages have them. Not TensorRT-RTX.
#
#   TENSORRT_ROOT       where include/ and lib/ of TensorRT lie, if it is not in the system's folders
#   CUDAToolkit_ROOT    the same for CUDA
#   TensorRT::nvinfer   both libraries
find_path(TensorRT_INCLUDE_DIR NvInferRuntime.h HINTS ${TENSORRT_ROOT} $ENV{TENSORRT_ROOT} PATH_SUFFIXES include)
find_library(TensorRT_LIBRARY nvinfer HINTS ${TENSORRT_ROOT} $ENV{TENSORRT_ROOT} PATH_SUFFIXES lib lib64)
find_package(CUDAToolkit 12 QUIET)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(TensorRT
  REQUIRED_VARS TensorRT_LIBRARY TensorRT_INCLUDE_DIR CUDAToolkit_FOUND
  REASON_FAILURE_MESSAGE "EDGE_PTF_TENSORRT=ON needs TensorRT 10 or 11 and CUDA 12 or newer with their headers: give -DTENSORRT_ROOT= and -DCUDAToolkit_ROOT=")
mark_as_advanced(TensorRT_INCLUDE_DIR TensorRT_LIBRARY)
if(TensorRT_FOUND AND NOT TARGET TensorRT::nvinfer)
  add_library(TensorRT::nvinfer UNKNOWN IMPORTED)
  set_target_properties(TensorRT::nvinfer PROPERTIES
    IMPORTED_LOCATION ${TensorRT_LIBRARY} INTERFACE_INCLUDE_DIRECTORIES ${TensorRT_INCLUDE_DIR}
    INTERFACE_LINK_LIBRARIES CUDA::cudart)
endif()
