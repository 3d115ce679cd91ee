#pragma once

// The ceiling of gathers: groups of lanes read rows of a table by a list of ids, eight under way at
// a time, and write the sum of each run of rows, so that the compiler cannot leave out a read.

#include "bench/variants/cuda/rival_lanes.cuh"

namespace tern::cuda {

/// Rows that a group sums, and so reads for each write.
inline constexpr std::int64_t kGatherRun = 64;

struct GatherRowsTask {
  MatrixView<const float> table;
  const NodeId* ids = nullptr;
  std::int64_t count = 0;
  float* sums = nullptr;  // (ceil_div(count, kGatherRun), stride)
};

namespace {

template <int kLanes>
__global__ void __launch_bounds__(kRivalThreads)
    gather_rows_kernel(const __grid_constant__ GatherRowsTask task) {
  const RivalLanes<kLanes> lanes(task.table.stride);
  const std::int64_t run =
      static_cast<std::int64_t>(blockIdx.x) * (kRivalThreads / kLanes) + lanes.group;
  const std::int64_t begin = run * kGatherRun;
  if (begin >= task.count || !lanes.inside()) return;
  const std::int64_t end = min(begin + kGatherRun, task.count);
  const float4* table = as_vectors(task.table.data) + lanes.place;
  float4 sum = make_float4(0.0F, 0.0F, 0.0F, 0.0F);
#pragma unroll 8
  for (std::int64_t i = begin; i < end; ++i) {
    const std::int64_t id = __ldg(task.ids + i);
    sum = add(sum, __ldg(table + id * lanes.vectors));
  }
  as_vectors(task.sums)[run * lanes.vectors + lanes.place] = sum;
}

template <typename Launch>
void run_gather_rows(const Launch& launch, const GatherRowsTask& task) {
  with_lanes(task.table.stride / kVector, [&](auto lanes) {
    launch(
        shape_with_tiles<lanes>(ceil_div(ceil_div(task.count, kGatherRun), kRivalThreads / lanes),
                                task.table.stride, kRivalThreads),
        gather_rows_kernel<lanes>, task);
  });
}

}  // namespace
}  // namespace tern::cuda
