#include "cuda/support/resources.hpp"

#include <cstdint>
#include <limits>
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
  // Plain f32: scores decide ranks, and with TF32's 10 bits different scores would tie. Without
  // atomics a product gives the same bits every time.
  check(cublasSetMathMode(handle, CUBLAS_DEFAULT_MATH));
  check(cublasSetAtomicsMode(handle, CUBLAS_ATOMICS_NOT_ALLOWED));
  return owner;
}

MemoryPool make_pool(int device) {
  int supported = 0;
  check(cudaDeviceGetAttribute(&supported, cudaDevAttrMemoryPoolsSupported, device));
  if (supported == 0) return MemoryPool();
  cudaMemPoolProps properties = {};
  properties.allocType = cudaMemAllocationTypePinned;
  properties.location.type = cudaMemLocationTypeDevice;
  properties.location.id = device;
  cudaMemPool_t pool = nullptr;
  check(cudaMemPoolCreate(&pool, &properties));
  MemoryPool owner(pool);
  std::uint64_t keep = std::numeric_limits<std::uint64_t>::max();
  check(cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &keep));
  return owner;
}

void* allocate_bytes(std::size_t bytes, const Memory& memory) {
  void* data = nullptr;
  cudaError_t status = memory.pool == nullptr
                           ? cudaMalloc(&data, bytes)
                           : cudaMallocFromPoolAsync(&data, bytes, memory.pool, memory.stream);
  if (status == cudaErrorMemoryAllocation && memory.pool != nullptr) {
    // Memory freed on a stream returns to the pool only when the stream has done the work before
    // it: wait for the stream, then try again.
    (void)cudaGetLastError();
    check(cudaStreamSynchronize(memory.stream));
    check(cudaMemPoolTrimTo(memory.pool, 0));
    status = cudaMallocFromPoolAsync(&data, bytes, memory.pool, memory.stream);
  }
  if (status == cudaErrorMemoryAllocation) {
    (void)cudaGetLastError();
    std::size_t free = 0;
    std::size_t total = 0;
    check(cudaMemGetInfo(&free, &total));
    throw MemoryError("out of device memory: " + std::to_string(bytes) + " bytes needed, " +
                      std::to_string(free) + " of " + std::to_string(total) + " free");
  }
  check(status);
  return data;
}

void free_bytes(void* data, const Memory& memory) noexcept {
  // Without a pool the memory is gone at once: nothing that was put on the stream may still use it.
  if (memory.pool == nullptr) {
    (void)cudaStreamSynchronize(memory.stream);
    (void)cudaFree(data);
  } else {
    (void)cudaFreeAsync(data, memory.stream);
  }
}

}  // namespace tern::cuda
