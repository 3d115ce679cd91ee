#pragma once

#include <cuda_runtime.h>

#include "cuda/support/group.cuh"

namespace tern::cuda {

/// The sum of one value a thread over a block of kThreads (a whole number of warps), in thread 0;
/// always in the same order. Every thread of the block takes part.
template <int kThreads, typename T>
__device__ T block_sum(T value) {
  static_assert(kThreads % 32 == 0);
  __shared__ T parts[kThreads / 32];
  const LaneGroup<32> warp;
  value = warp.sum(value);
  __syncthreads();  // an earlier call's parts have been read
  if (warp.lane == 0) parts[threadIdx.x / 32] = value;
  __syncthreads();
  if (threadIdx.x == 0) {
    for (int w = 1; w < kThreads / 32; ++w) value += parts[w];
  }
  return value;
}

}  // namespace tern::cuda
