#pragma once

// propagate by merge path: the ends of rows and the edges, merged in CSR order, are cut into equal
// shares, so that neither long rows nor many empty ones unbalance the work. A group of lanes
// consumes a share: it writes the rows that end in it; the sum of a row that ends later becomes a
// carry, which a second kernel adds, in order. Source: Merrill and Garland 2016, "Merge-based
// parallel sparse matrix-vector multiplication".

#include "bench/variants/cuda/rival_lanes.cuh"

namespace tern::cuda {

/// Ends of rows and edges that one group consumes.
inline constexpr EdgeOffset kMergeShare = 128;

/// The number of groups for a product.
constexpr std::int64_t merge_shares(std::int64_t rows, EdgeOffset edges) {
  return ceil_div(rows + edges, kMergeShare);
}

struct MergePathTask {
  ProductTask product;
  EdgeOffset edges = 0;
  NodeId* carry_rows = nullptr;  // (shares) workspace: -1 without a carry
  float* carries = nullptr;      // (shares, stride) workspace
};

namespace {

/// The rows that end within the first `diagonal` steps of the merge.
__device__ inline std::int64_t rows_ended(const MergePathTask& task, EdgeOffset diagonal) {
  const EdgeOffset* ends = task.product.csr.offsets + 1;
  EdgeOffset low = diagonal > task.edges ? diagonal - task.edges : 0;
  EdgeOffset high = min(diagonal, static_cast<EdgeOffset>(task.product.y.rows));
  while (low < high) {
    const EdgeOffset middle = (low + high) / 2;
    // A row's end comes after its last edge.
    if (ends[middle] < diagonal - middle) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

template <int kLanes>
__global__ void __launch_bounds__(kRivalThreads)
    propagate_merge_path_kernel(const __grid_constant__ MergePathTask task) {
  const RivalLanes<kLanes> lanes(task.product.x.stride);
  const std::int64_t share =
      static_cast<std::int64_t>(blockIdx.x) * (kRivalThreads / kLanes) + lanes.group;
  const EdgeOffset steps = task.product.y.rows + task.edges;
  const EdgeOffset begin = share * kMergeShare;
  if (begin >= steps || !lanes.inside()) return;
  const EdgeOffset end = min(begin + kMergeShare, steps);
  const std::int64_t last_row = rows_ended(task, end);
  const EdgeOffset last_edge = end - last_row;
  std::int64_t row = rows_ended(task, begin);
  EdgeOffset edge = begin - row;
  for (; row < last_row; ++row) {
    const EdgeOffset row_end = task.product.csr.offsets[row + 1];
    store_row(task.product, row, lanes.vectors, lanes.place,
              sum_neighbours(task.product, edge, row_end, 1, lanes.vectors, lanes.place));
    edge = row_end;
  }
  as_vectors(task.carries)[share * lanes.vectors + lanes.place] =
      sum_neighbours(task.product, edge, last_edge, 1, lanes.vectors, lanes.place);
  if (lanes.place == 0) {
    task.carry_rows[share] = edge < last_edge ? static_cast<NodeId>(row) : -1;
  }
}

/// Adds the carries to their rows, those of one row in order. One thread a vector of a share; the
/// first share of a row does the work.
__global__ void __launch_bounds__(kRivalThreads)
    propagate_merge_path_carry_kernel(const __grid_constant__ MergePathTask task,
                                      std::int64_t shares) {
  const std::int64_t vectors = task.product.x.stride / kVector;
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kRivalThreads + threadIdx.x;
  if (i >= shares * vectors) return;
  const std::int64_t first = i / vectors;
  const std::int64_t place = i % vectors;
  const NodeId row = task.carry_rows[first];
  if (row < 0 || (first > 0 && task.carry_rows[first - 1] == row)) return;
  float4 sum = make_float4(0.0F, 0.0F, 0.0F, 0.0F);
  for (std::int64_t s = first; s < shares && task.carry_rows[s] == row; ++s) {
    sum = add(sum, as_vectors(task.carries)[s * vectors + place]);
  }
  float4* y = as_vectors(task.product.y.data) + row * vectors + place;
  *y = add(*y, scale(task.product.to_scale[row], sum));
}

template <typename Launch>
void run_propagate_merge_path(const Launch& launch, const MergePathTask& task) {
  const std::int64_t shares = merge_shares(task.product.y.rows, task.edges);
  const std::int64_t vectors = task.product.x.stride / kVector;
  with_lanes(vectors, [&](auto lanes) {
    launch(shape_with_tiles<lanes>(ceil_div(shares, kRivalThreads / lanes), task.product.x.stride,
                                   kRivalThreads),
           propagate_merge_path_kernel<lanes>, task);
  });
  launch({.blocks = ceil_div(shares * vectors, kRivalThreads), .threads = kRivalThreads},
         propagate_merge_path_carry_kernel, task, shares);
}

}  // namespace
}  // namespace tern::cuda
