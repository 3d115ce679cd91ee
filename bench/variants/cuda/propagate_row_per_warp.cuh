#pragma once

// propagate, one warp a row. If a row of x has fewer vectors than a warp has lanes, groups of lanes
// take neighbours in turn, and exchange their sums at the end. No row is split: the warp with
// the longest row is the last to finish. The textbook's vector kernel: Bell and Garland 2009.

#include "bench/variants/cuda/rival_lanes.cuh"

namespace tern::cuda {
namespace {

__device__ inline float4 add_exchanged(float4 sum, int distance) {
  return add(sum, make_float4(__shfl_xor_sync(kFullWarp, sum.x, distance),
                              __shfl_xor_sync(kFullWarp, sum.y, distance),
                              __shfl_xor_sync(kFullWarp, sum.z, distance),
                              __shfl_xor_sync(kFullWarp, sum.w, distance)));
}

template <int kLanes>
__global__ void __launch_bounds__(kRivalThreads)
    propagate_row_per_warp_kernel(const __grid_constant__ ProductTask task) {
  const std::int64_t row =
      static_cast<std::int64_t>(blockIdx.x) * (kRivalThreads / 32) + threadIdx.x / 32;
  if (row >= task.y.rows) return;  // the whole warp
  const RivalLanes<kLanes> lanes(task.x.stride);
  constexpr int kGroups = 32 / kLanes;
  float4 sum = make_float4(0.0F, 0.0F, 0.0F, 0.0F);
  if (lanes.inside()) {
    sum = sum_neighbours(task, task.csr.offsets[row] + lanes.group % kGroups,
                         task.csr.offsets[row + 1], kGroups, lanes.vectors, lanes.place);
  }
#pragma unroll
  for (int distance = 16; distance >= kLanes; distance /= 2) sum = add_exchanged(sum, distance);
  if (lanes.group % kGroups == 0 && lanes.inside()) {
    store_row(task, row, lanes.vectors, lanes.place, sum);
  }
}

template <typename Launch>
void run_propagate_row_per_warp(const Launch& launch, const ProductTask& task) {
  with_lanes(task.x.stride / kVector, [&](auto lanes) {
    launch(shape_with_tiles<lanes>(ceil_div(task.y.rows, kRivalThreads / 32), task.x.stride,
                                   kRivalThreads),
           propagate_row_per_warp_kernel<lanes>, task);
  });
}

}  // namespace
}  // namespace tern::cuda
