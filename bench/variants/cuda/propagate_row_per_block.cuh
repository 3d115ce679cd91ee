#pragma once

// propagate, one block a row: groups of lanes take neighbours in turn, and a tree in shared memory
// joins their sums. Long rows get many threads, short ones waste most of theirs.

#include "bench/variants/cuda/rival_lanes.cuh"

namespace tern::cuda {
namespace {

/// Half of the threads of the others: a row of Gowalla has 27 neighbours in the mean.
inline constexpr int kRowBlockThreads = 128;

template <int kLanes>
__global__ void __launch_bounds__(kRowBlockThreads)
    propagate_row_per_block_kernel(const __grid_constant__ ProductTask task) {
  __shared__ float4 joined[kRowBlockThreads];
  const std::int64_t row = blockIdx.x;
  const RivalLanes<kLanes> lanes(task.x.stride);
  float4 sum = make_float4(0.0F, 0.0F, 0.0F, 0.0F);
  if (lanes.inside()) {
    sum = sum_neighbours(task, task.csr.offsets[row] + lanes.group, task.csr.offsets[row + 1],
                         kRowBlockThreads / kLanes, lanes.vectors, lanes.place);
  }
  const int thread = static_cast<int>(threadIdx.x);
  joined[thread] = sum;
  __syncthreads();
#pragma unroll
  for (int half = kRowBlockThreads / 2; half >= kLanes; half /= 2) {
    if (thread < half) joined[thread] = add(joined[thread], joined[thread + half]);
    __syncthreads();
  }
  if (lanes.group == 0 && lanes.inside()) {
    store_row(task, row, lanes.vectors, lanes.place, joined[thread]);
  }
}

template <typename Launch>
void run_propagate_row_per_block(const Launch& launch, const ProductTask& task) {
  with_lanes(task.x.stride / kVector, [&](auto lanes) {
    launch(shape_with_tiles<lanes>(task.y.rows, task.x.stride, kRowBlockThreads),
           propagate_row_per_block_kernel<lanes>, task);
  });
}

}  // namespace
}  // namespace tern::cuda
