#include "cuda/support/architecture.hpp"

#include <cuda_runtime.h>

#include <string>

#include "cuda/support/error.hpp"
#include "tern/error.hpp"

// TERN_CUDA_CODE: the architectures of this build in words (tools/cmake/TernArchitectures.cmake).

namespace tern::cuda {
namespace {

/// Stands for all kernels: they are built for the same architectures.
__global__ void probe_kernel() {}

/// The lowest compute capability that CUDA 13 supports, times 10.
constexpr int kOldest = 75;

std::string remedy(cudaError_t status, int capability) {
  switch (status) {
    case cudaErrorUnsupportedPtxVersion:
    case cudaErrorJitCompilerNotFound:
    case cudaErrorJitCompilationDisabled:
      return "update the driver, or build Tern with -DCMAKE_CUDA_ARCHITECTURES=" +
             std::to_string(capability);
    default:
      return capability < kOldest
                 ? "use a GPU of compute capability 7.5 or later, or --device cpu"
                 : "build Tern on this machine, or with -DCMAKE_CUDA_ARCHITECTURES=" +
                       std::to_string(capability);
  }
}

}  // namespace

void expect_code_for(const cudaDeviceProp& properties, int device) {
  cudaFuncAttributes attributes{};
  const cudaError_t status =
      cudaFuncGetAttributes(&attributes, reinterpret_cast<const void*>(&probe_kernel));
  switch (status) {
    case cudaErrorInvalidDeviceFunction:
    case cudaErrorInvalidKernelImage:
    case cudaErrorNoKernelImageForDevice:
    case cudaErrorInvalidPtx:
    case cudaErrorUnsupportedPtxVersion:
    case cudaErrorJitCompilerNotFound:
    case cudaErrorJitCompilationDisabled:
      break;
    default:
      check(status);
      return;
  }
  (void)cudaGetLastError();
  throw DeviceError("this build of Tern has no code for cuda:" + std::to_string(device) + " (" +
                    properties.name + ", compute capability " + std::to_string(properties.major) +
                    "." + std::to_string(properties.minor) +
                    "): it holds " TERN_CUDA_CODE ", and CUDA reports " + cudaGetErrorName(status) +
                    "; " + remedy(status, properties.major * 10 + properties.minor));
}

}  // namespace tern::cuda
