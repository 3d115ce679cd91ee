#pragma once

// The last launch of a loss over pairs of unit rows: from the gradients of the pairs' unit rows to those
// of the batch's distinct rows, and the loss.
//
//   ∂/∂e = (g - ê (ê·g)) / ‖e‖ if ‖e‖ > 1e-12, else g / 1e-12;  g = Σ of ê's gradient over its pairs
//
// The reproducible form goes through the occurrences of a row (next_batch_plan.cu), as bpr does: a
// group of lanes a row, or the whole block for a row of more than kManyOccurrences. Occurrences without
// a place in the layout add nothing; a row that has none gets zeros. The fused form has no plan: a
// group a row or column projects its part of g and adds it to the row by float atomics.
//
// A Task has, besides what pair_rows.cuh asks, batch, layout, gradients[2], losses, terms and sizes[2],
// and a method unit_gradient(side, pair, place): that vector of the gradient of ê. Pairs of the second
// side are columns.

#include <algorithm>

#include "cuda/ops/batch_row.cuh"
#include "cuda/ops/pair_rows.cuh"
#include "cuda/support/group.cuh"
#include "cuda/support/lanes.hpp"
#include "cuda/support/launch.hpp"
#include "cuda/support/vector.cuh"

namespace tern::cuda {
namespace {

constexpr int kPairScatterThreads = kBatchRowThreads;
/// As kPairBlocks of pair_rows.cuh.
constexpr int kPairScatterBlocks = 3;

/// The pair of an occurrence; -1 if it has none.
template <typename Task>
__device__ inline std::int32_t pair_of(const Task& task, int side, std::int32_t k) {
  const std::int32_t occurrence = __ldg(task.batch.sides[side].occurrences + k);
  return task.layout.place(static_cast<Side>(side), occurrence, task.batch.state->count);
}

template <typename Task>
__device__ inline void write_pair_loss(const Task& task) {
  const std::int64_t rows = task.layout.rows(task.batch.state->count);
  write_batch_loss(task.batch, task.terms, rows, task.losses);
}

/// One of the pairs among occurrences [begin, end); -1 if there is none.
template <typename Task>
__device__ inline std::int32_t any_pair(const Task& task, int side, std::int32_t begin,
                                        std::int32_t end) {
  std::int32_t pair = -1;
  for (std::int32_t k = begin; k < end && pair < 0; ++k) pair = pair_of(task, side, k);
  return pair;
}

/// Vector `place` of g, summed over occurrences [begin, end).
template <typename Task>
__device__ inline float4 pair_sum(const Task& task, int side, std::int32_t begin, std::int32_t end,
                                  std::int64_t place) {
  float4 sum = zero_vector();
  for (std::int32_t k = begin; k < end; ++k) {
    const std::int32_t t = pair_of(task, side, k);
    if (t >= 0) sum = add(sum, task.unit_gradient(side, t, place));
  }
  return sum;
}

/// Turns g, which these threads have written to the row, into the row's gradient.
template <int kLanes, typename Task>
__device__ inline void project_row(const Task& task, const LaneGroup<kLanes>& group, int side,
                                   std::int32_t pair, float4* row) {
  if (pair < 0) return;  // negatives alone: zeros
  const float along = along_unit(task, group, side, pair, [row](std::int64_t v) { return row[v]; });
  for (std::int64_t v = group.lane; v < task.stride / kVector; v += kLanes) {
    row[v] = projected(task, side, pair, along, row[v], v);
  }
}

template <typename Task>
__device__ inline float4* pair_gradient_row(const Task& task, const BatchRow& row) {
  return as_vectors(task.gradients[row.side].row(row.row));
}

template <int kLanes, typename Task>
__device__ inline void pair_long_row(const Task& task, const LaneGroup<kLanes>& group,
                                     const BatchRow& row) {
  const auto sum_of = [&](std::int32_t begin, std::int32_t end, std::int64_t place) {
    return pair_sum(task, row.side, begin, end, place);
  };
  float4* to = pair_gradient_row(task, row);
  sum_long_row(row, kLanes, task.stride / kVector, sum_of, to);
  if (threadIdx.x < kLanes) {
    project_row(task, group, row.side, any_pair(task, row.side, row.begin, row.end), to);
  }
}

/// Block 0 writes the loss; in the others a group handles one distinct row.
template <int kLanes, typename Task>
__global__ void __launch_bounds__(kPairScatterThreads, kPairScatterBlocks)
    pair_scatter_kernel(const __grid_constant__ Task task) {
  if (blockIdx.x == 0) {
    write_pair_loss(task);
    return;
  }
  constexpr int kGroups = kPairScatterThreads / kLanes;
  const LaneGroup<kLanes> group;
  const std::int64_t first = static_cast<std::int64_t>(blockIdx.x - 1) * kGroups;
  const BatchRow row = batch_row(task.batch, first + static_cast<int>(threadIdx.x) / kLanes);
  if (row.row >= 0 && !row.many()) {
    float4* to = pair_gradient_row(task, row);
    for (std::int64_t v = group.lane; v < task.stride / kVector; v += kLanes) {
      to[v] = pair_sum(task, row.side, row.begin, row.end, v);
    }
    project_row(task, group, row.side, any_pair(task, row.side, row.begin, row.end), to);
  }
  if (__syncthreads_or(row.row >= 0 && row.many()) == 0) return;
  for (int g = 0; g < kGroups; ++g) {  // rare, and the same answer in the whole block
    const BatchRow other = batch_row(task.batch, first + g);
    if (other.row >= 0 && other.many()) pair_long_row(task, group, other);
  }
}

/// Zeroes the gradients of the batch's rows, `lanes` threads a row.
template <typename Task>
__global__ void __launch_bounds__(kPairScatterThreads, kPairScatterBlocks)
    pair_zero_kernel(const __grid_constant__ Task task, int lanes) {
  zero_batch_row(task.batch, task.gradients[blockIdx.y], lanes);
}

/// One group a row of each side, grid: (rows + the loss, sides).
template <int kLanes, typename Task>
__global__ void __launch_bounds__(kPairScatterThreads, kPairScatterBlocks)
    pair_scatter_fused_kernel(const __grid_constant__ Task task) {
  const int side = static_cast<int>(blockIdx.y);
  if (blockIdx.x == 0) {
    if (side == 0) write_pair_loss(task);
    return;
  }
  const std::int64_t t =
      static_cast<std::int64_t>(blockIdx.x - 1) * (kPairScatterThreads / kLanes) +
      static_cast<int>(threadIdx.x) / kLanes;
  const std::int64_t count = task.batch.state->count;
  if (t >= (side == 0 ? task.layout.rows(count) : task.layout.columns(count))) return;
  const LaneGroup<kLanes> group;
  const auto gradient = [&](std::int64_t v) { return task.unit_gradient(side, t, v); };
  const float along = along_unit(task, group, side, t, gradient);
  const Triplet* batch = task.batch.triplets + task.batch.state->first;
  const NodeId node =
      side == 0 ? batch[task.layout.triplet(t)].user : task.layout.item(batch, t, count);
  float4* row = as_vectors(task.gradients[side].row(node));
  for (std::int64_t v = group.lane; v < task.stride / kVector; v += kLanes) {
    atomic_add(row + v, projected(task, side, t, along, gradient(v), v));
  }
}

/// By the plan of occurrences: reproducible.
template <typename Task>
void launch_pair_scatter(const Queue& queue, const Task& task) {
  const Launcher launch(queue);
  const std::int64_t rows = task.batch.sides[0].capacity + task.batch.sides[1].capacity;
  with_lanes(task.stride / kVector, [&](auto width) {
    constexpr int kLanes = decltype(width)::value;
    launch({.blocks = 1 + ceil_div(rows, kPairScatterThreads / kLanes),
            .threads = kPairScatterThreads},
           pair_scatter_kernel<kLanes, Task>, task);
  });
}

/// By float atomics, without the plan of occurrences.
template <typename Task>
void launch_pair_scatter_fused(const Queue& queue, const Task& task) {
  const Launcher launch(queue);
  const std::int64_t rows = std::max(task.batch.sides[0].capacity, task.batch.sides[1].capacity);
  const int lanes = lanes_for(task.stride / kVector);
  launch({.blocks = ceil_div(rows, kPairScatterThreads / lanes),
          .threads = kPairScatterThreads,
          .blocks_y = 2},
         pair_zero_kernel<Task>, task, lanes);
  with_lanes(task.stride / kVector, [&](auto width) {
    constexpr int kLanes = decltype(width)::value;
    launch({.blocks =
                1 + ceil_div(std::max(task.sizes[0], task.sizes[1]), kPairScatterThreads / kLanes),
            .threads = kPairScatterThreads,
            .blocks_y = 2},
           pair_scatter_fused_kernel<kLanes, Task>, task);
  });
}

}  // namespace
}  // namespace tern::cuda
