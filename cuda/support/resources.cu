#include "cuda/support/resources.hpp"

#include <string>

#include "tern/error.hpp"

namespace tern::cuda {

Stream make_stream() {
  cudaStream_t stream = nullptr;
  check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  return Stream(stream);
}

Event make_event() {
  cudaEvent_t event = nullptr;
  check(cudaEventCreate(&event));
  return Event(event);
}

CublasHandle make_cublas(cudaStream_t stream) {
  cublasHandle_t handle = nullptr;
  check(cublasCreate(&handle));
  CublasHandle owner(handle);
  check(cublasSetStream(handle, stream));
  // Plain f32: scores decide ranks, and TF32's 10 bits would tie what is not tied. Without atomics
  // a product gives the same bits every time.
  check(cublasSetMathMode(handle, CUBLAS_DEFAULT_MATH));
  check(cublasSetAtomicsMode(handle, CUBLAS_ATOMICS_NOT_ALLOWED));
  return owner;
}

void* allocate_bytes(std::size_t bytes, cudaStream_t stream) {
  void* data = nullptr;
  const cudaError_t status = cudaMallocAsync(&data, bytes, stream);
  if (status == cudaErrorMemoryAllocation) {
    (void)cudaGetLastError();
    std::size_t free = 0;
    std::size_t total = 0;
    check(cudaMemGetInfo(&free, &total));
    throw DeviceError("out of device memory: " + std::to_string(bytes) +
                      " bytes are needed, and the device has " + std::to_string(free) + " of " +
                      std::to_string(total) + " bytes free.");
  }
  check(status);
  return data;
}

}  // namespace tern::cuda
