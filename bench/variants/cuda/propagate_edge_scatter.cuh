#pragma once

// propagate over edges: groups of lanes take equal runs of edges, keep a sum while the row stays
// the same, and add it to y with float atomics when it changes. Balanced without a search, but y is
// zeroed first, rows shared by several groups are contended, and the bits depend on the order of
// the groups. Needs the row of every edge as well (COO).

#include "bench/variants/cuda/rival_lanes.cuh"
#include "bench/variants/cuda/zero_rows.cuh"

namespace tern::cuda {

/// Edges that a group takes: about a row of Gowalla.
inline constexpr EdgeOffset kEdgeRun = 32;

struct EdgeScatterTask {
  ProductTask product;
  const NodeId* edge_rows = nullptr;  // (edges), ascending
  EdgeOffset edges = 0;
};

namespace {

template <int kLanes>
__global__ void __launch_bounds__(kRivalThreads)
    propagate_edge_scatter_kernel(const __grid_constant__ EdgeScatterTask task) {
  const ProductTask& product = task.product;
  const RivalLanes<kLanes> lanes(product.x.stride);
  const EdgeOffset begin =
      (static_cast<EdgeOffset>(blockIdx.x) * (kRivalThreads / kLanes) + lanes.group) * kEdgeRun;
  if (begin >= task.edges || !lanes.inside()) return;
  const EdgeOffset end = min(begin + kEdgeRun, task.edges);
  EdgeOffset edge = begin;
  while (edge < end) {
    const std::int64_t row = __ldg(task.edge_rows + edge);
    const EdgeOffset row_end = min(product.csr.offsets[row + 1], end);
    const float4 sum = sum_neighbours(product, edge, row_end, 1, lanes.vectors, lanes.place);
    atomic_add(as_vectors(product.y.data) + row * lanes.vectors + lanes.place,
               scale(product.to_scale[row], sum));
    edge = row_end;
  }
}

template <typename Launch>
void run_propagate_edge_scatter(const Launch& launch, const EdgeScatterTask& task) {
  run_zero_rows(launch, task.product.y);
  with_lanes(task.product.x.stride / kVector, [&](auto lanes) {
    launch(shape_with_tiles<lanes>(ceil_div(ceil_div(task.edges, kEdgeRun), kRivalThreads / lanes),
                                   task.product.x.stride, kRivalThreads),
           propagate_edge_scatter_kernel<lanes>, task);
  });
}

}  // namespace
}  // namespace tern::cuda
