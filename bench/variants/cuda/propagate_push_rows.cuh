#pragma once

// propagate from a sparse set of rows of x, pushed: one block a source row holds the row in
// registers and adds it to each of its neighbours' rows with float atomics. Reads only the edges of
// the set, while the pull form reads all edges and tests each of them; but y is zeroed first, and
// the bits depend on the order of the blocks.

#include "bench/variants/cuda/rival_lanes.cuh"
#include "bench/variants/cuda/zero_rows.cuh"

namespace tern::cuda {

struct PushRowsTask {
  CsrView csr;  // a row of x lists its neighbours in y
  const float* from_scale = nullptr;
  const float* to_scale = nullptr;
  MatrixView<const float> x;
  MatrixView<float> y;
  const NodeId* rows = nullptr;  // of x, each once; the others count as zero
  std::int64_t count = 0;
};

namespace {

template <int kLanes>
__global__ void __launch_bounds__(kRivalThreads)
    propagate_push_rows_kernel(const __grid_constant__ PushRowsTask task) {
  const RivalLanes<kLanes> lanes(task.x.stride);
  if (!lanes.inside()) return;
  const std::int64_t row = task.rows[blockIdx.x];
  const float4 value =
      scale(task.from_scale[row], as_vectors(task.x.data)[row * lanes.vectors + lanes.place]);
  const EdgeOffset end = task.csr.offsets[row + 1];
#pragma unroll 4
  for (EdgeOffset e = task.csr.offsets[row] + lanes.group; e < end; e += kRivalThreads / kLanes) {
    const std::int64_t to = __ldg(task.csr.columns + e);
    atomic_add(as_vectors(task.y.data) + to * lanes.vectors + lanes.place,
               scale(__ldg(task.to_scale + to), value));
  }
}

template <typename Launch>
void run_propagate_push_rows(const Launch& launch, const PushRowsTask& task) {
  run_zero_rows(launch, task.y);
  with_lanes(task.x.stride / kVector, [&](auto lanes) {
    launch(shape_with_tiles<lanes>(task.count, task.x.stride, kRivalThreads),
           propagate_push_rows_kernel<lanes>, task);
  });
}

}  // namespace
}  // namespace tern::cuda
