#pragma once

#include <cublas_v2.h>
#include <cuda_runtime_api.h>

#include <source_location>

namespace tern::cuda {

// Each throws DeviceError, naming the failure and the place, unless the call succeeded. A kernel
// fails after its launch has returned, and then any call may report it: such a failure is named as
// one of earlier work, with the way to find the kernel (TERN_CUDA_SYNC, cuda/README.md).

void check(cudaError_t status, std::source_location where = std::source_location::current());
void check(cublasStatus_t status, std::source_location where = std::source_location::current());
/// The status that cudaGetLastError() has after a call that succeeded: the failure of other work.
void check_earlier(cudaError_t status, std::source_location where);
/// The status of waiting for a kernel, or for the kernels of a library's call (null), that was
/// launched at `where` with nothing before it on its stream.
void check_kernel(cudaError_t status, const void* kernel, std::source_location where);

}  // namespace tern::cuda
