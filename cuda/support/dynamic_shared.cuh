#pragma once

#include <cuda_runtime.h>

#include <cstddef>

// One name for all kernels: tests/simt knows it, and nvcc wants one type a name.
extern __shared__ __align__(16) unsigned char dynamic_shared_memory[];

namespace tern::cuda {

/// The launch's dynamic shared memory from a byte offset on, which T's alignment divides.
template <typename T>
__device__ inline T* dynamic_shared(std::size_t offset = 0) {
  static_assert(alignof(T) <= 16);
  return reinterpret_cast<T*>(dynamic_shared_memory + offset);
}

}  // namespace tern::cuda
