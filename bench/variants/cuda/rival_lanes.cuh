#pragma once

// Shared by the rivals of propagate: lanes over the vectors of a row, sums of weighted rows.

#include <cuda_runtime.h>

#include "bench/variants/cuda/product_task.hpp"
#include "cuda/support/lanes.hpp"
#include "cuda/support/vector.cuh"
#include "cuda/support/warp.cuh"

namespace tern::cuda {

/// kLanes neighbouring threads that share a row, one vector each; wider rows take several tiles,
/// one a blockIdx.y.
template <int kLanes>
struct RivalLanes {
  int lane;     // of its group
  int group;    // of its block
  int vectors;  // of a whole row
  int place;    // this thread's vector of a row

  __device__ explicit RivalLanes(std::int64_t stride)
      : lane(static_cast<int>(threadIdx.x) % kLanes),
        group(static_cast<int>(threadIdx.x) / kLanes),
        vectors(static_cast<int>(stride / kVector)),
        place(static_cast<int>(blockIdx.y) * kLanes + lane) {}

  /// Lanes beyond the row do nothing.
  __device__ bool inside() const { return place < vectors; }
};

/// The sum of s_from · x over the neighbours begin, begin + step, ... before end.
__device__ inline float4 sum_neighbours(const ProductTask& task, EdgeOffset begin, EdgeOffset end,
                                        int step, int vectors, int place) {
  const float4* x = as_vectors(task.x.data) + place;
  float4 sum = make_float4(0.0F, 0.0F, 0.0F, 0.0F);
#pragma unroll 4
  for (EdgeOffset e = begin; e < end; e += step) {
    const std::int64_t id = __ldg(task.csr.columns + e);
    sum = fma(__ldg(task.from_scale + id), __ldg(x + id * vectors), sum);
  }
  return sum;
}

/// Writes this thread's vector of a row of y: s_to · sum.
__device__ inline void store_row(const ProductTask& task, std::int64_t row, int vectors, int place,
                                 float4 sum) {
  as_vectors(task.y.data)[row * vectors + place] = scale(task.to_scale[row], sum);
}

/// The shape of a launch of `blocks` blocks for every tile of a row.
template <int kLanes>
LaunchShape shape_with_tiles(std::int64_t blocks, std::int64_t stride, int threads) {
  return {.blocks = blocks, .threads = threads, .blocks_y = ceil_div(stride / kVector, kLanes)};
}

}  // namespace tern::cuda
