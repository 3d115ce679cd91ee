#pragma once

#include <cuda_runtime.h>

#include "cuda/support/warp.cuh"

namespace tern::cuda {

// Reductions over a one-dimensional block of 1..1024 threads, all of which must call.
// Warps combine their lanes, then the first warp combines the warps' results: one order, which
// depends on the size of the block alone. A reduction ends with a barrier, so that it may be called
// again at once; one instance (operation and type) uses 128 or 256 bytes of shared memory.

/// The lanes of this thread's warp that exist: 32, or fewer in the last warp of the block.
__device__ inline int lanes_of_warp() {
  const int left = static_cast<int>(blockDim.x - threadIdx.x / 32 * 32);
  return left < 32 ? left : 32;
}

/// The combination of the values of all threads, in every thread.
template <typename Op, typename T>
__device__ inline T block_reduce(T value) {
  __shared__ T of_warp[32];
  const int warps = static_cast<int>((blockDim.x + 31) / 32);
  const int warp = static_cast<int>(threadIdx.x / 32);
  value = warp_reduce<Op>(value, lanes_of_warp());
  if (warps == 1) return value;
  if (lane_of_thread() == 0) of_warp[warp] = value;
  __syncthreads();
  if (warp == 0) {
    const bool there = lane_of_thread() < warps;
    value = warp_reduce<Op>(there ? of_warp[lane_of_thread()] : Op::template neutral<T>());
    if (lane_of_thread() == 0) of_warp[0] = value;
  }
  __syncthreads();
  value = of_warp[0];
  __syncthreads();
  return value;
}

}  // namespace tern::cuda
