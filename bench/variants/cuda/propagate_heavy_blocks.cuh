#pragma once

// propagate, one group of lanes a row in the order of ids, except for heavy rows: whole blocks take
// stretches of them, first in the grid, join the sums of their groups by a tree, and a second kernel joins
// the stretches. The mapping that cuda/ops/propagate.cu had before its segments, with the loop that it
// has: groups of a warp wait for the longer row, and blocks for their longest.

#include <algorithm>
#include <span>
#include <vector>

#include "bench/variants/cuda/product_task.hpp"
#include "cuda/ops/propagate.hpp"
#include "cuda/ops/propagate_neighbours.cuh"
#include "cuda/support/lanes.hpp"

namespace tern::cuda {

/// The most neighbours of a row that one group sums, and of a heavy row that one block sums.
inline constexpr EdgeOffset kHeavyDegree = 256;
inline constexpr EdgeOffset kHeavyStretch = 2048;

/// Neighbours [begin, end) of a heavy row. Their sum goes to the slot; -1: it is the row's.
struct HeavyStretch {
  NodeId row = 0;
  std::int32_t slot = -1;
  EdgeOffset begin = 0;
  EdgeOffset end = 0;
};

/// A row of several stretches, with the slots [first_slot, first_slot + count).
struct HeavyRow {
  NodeId row = 0;
  std::int32_t first_slot = 0;
  std::int32_t count = 0;
};

struct HeavyRows {
  std::vector<HeavyStretch> stretches;
  std::vector<HeavyRow> split;
  std::int32_t slots = 0;
};

inline HeavyRows find_heavy_rows(std::span<const EdgeOffset> offsets) {
  HeavyRows heavy;
  for (std::size_t r = 0; r + 1 < offsets.size(); ++r) {
    const EdgeOffset degree = offsets[r + 1] - offsets[r];
    if (degree <= kHeavyDegree) continue;
    const auto row = static_cast<NodeId>(r);
    const auto count = static_cast<std::int32_t>(ceil_div(degree, kHeavyStretch));
    if (count > 1) heavy.split.push_back({row, heavy.slots, count});
    for (EdgeOffset begin = offsets[r]; begin < offsets[r + 1]; begin += kHeavyStretch) {
      heavy.stretches.push_back({row, count > 1 ? heavy.slots++ : -1, begin,
                                 std::min(begin + kHeavyStretch, offsets[r + 1])});
    }
  }
  return heavy;
}

struct HeavyBlocksTask {
  ProductTask product;
  const HeavyStretch* stretches = nullptr;
  std::int64_t num_stretches = 0;
  const HeavyRow* split = nullptr;
  std::int64_t num_split = 0;
  float* partials = nullptr;  // (slots, stride of y)
};

namespace {

/// A task and its product as the loop of propagate sees it.
struct HeavyBlocksLaunch {
  HeavyBlocksTask task;
  PropagateTask loop;
};

__device__ inline void finish_heavy(const ProductTask& task, std::int64_t row, int place,
                                    float4 sum) {
  as_vectors(task.y.data)[row * (task.y.stride / kVector) + place] = scale(task.to_scale[row], sum);
}

/// Joins the sums of a block's groups by a tree; group 0 gets the total. All threads take part.
template <int kLanes>
__device__ float4 join_groups(int group, int lane, float4 sum) {
  __shared__ float4 joined[kRivalThreads / 2];
  for (int half = kRivalThreads / kLanes / 2; half > 0; half /= 2) {
    if (group >= half && group < 2 * half) joined[(group - half) * kLanes + lane] = sum;
    __syncthreads();
    if (group < half) sum = add(sum, joined[group * kLanes + lane]);
    __syncthreads();
  }
  return sum;
}

/// Grid: (stretches + rows / groups, tiles of kLanes vectors).
template <int kLanes>
__global__ void __launch_bounds__(kRivalThreads)
    propagate_heavy_blocks_kernel(const __grid_constant__ HeavyBlocksLaunch launch) {
  const HeavyBlocksTask& task = launch.task;
  const ProductTask& product = task.product;
  constexpr int kGroups = kRivalThreads / kLanes;
  const int group = static_cast<int>(threadIdx.x) / kLanes;
  const bool heavy = static_cast<std::int64_t>(blockIdx.x) < task.num_stretches;
  std::int64_t row = -1;
  std::int32_t slot = -1;
  EdgeOffset begin = 0;
  EdgeOffset end = 0;
  if (heavy) {
    const HeavyStretch stretch = task.stretches[blockIdx.x];
    const EdgeOffset share = (stretch.end - stretch.begin + kGroups - 1) / kGroups;
    row = stretch.row;
    slot = stretch.slot;
    begin = min(stretch.begin + group * share, stretch.end);
    end = min(begin + share, stretch.end);
  } else {
    row = (static_cast<std::int64_t>(blockIdx.x) - task.num_stretches) * kGroups + group;
    if (row < product.y.rows) {
      begin = __ldg(product.csr.offsets + row);
      end = __ldg(product.csr.offsets + row + 1);
    }
    if (row >= product.y.rows || end - begin > kHeavyDegree) {
      row = -1;
      begin = end = 0;
    }
  }
  const RowLanes<kLanes, 1, F32Rows> lanes(launch.loop);
  RowSum<1, F32Rows> sum;
  add_neighbours<kLanes, 1, false>(
      launch.loop, lanes, {product.csr.columns + begin, static_cast<int>(end - begin)}, sum);
  if (heavy) sum.chunk[0][0] = join_groups<kLanes>(group, lanes.group.lane, sum.chunk[0][0]);
  const int place = lanes.place(0);
  if (row < 0 || (heavy && group != 0) || place >= lanes.vectors) return;
  if (slot < 0) {
    finish_heavy(product, row, place, sum.chunk[0][0]);
  } else {
    as_vectors(task.partials)[std::int64_t{slot} * lanes.vectors + place] = sum.chunk[0][0];
  }
}

/// Joins the stretches of a row in order. One thread a vector.
__global__ void __launch_bounds__(kRivalThreads)
    propagate_heavy_blocks_join_kernel(const __grid_constant__ HeavyBlocksTask task) {
  const auto vectors = static_cast<int>(task.product.y.stride / kVector);
  const std::int64_t index = static_cast<std::int64_t>(blockIdx.x) * kRivalThreads + threadIdx.x;
  if (index >= task.num_split * vectors) return;
  const HeavyRow split = task.split[index / vectors];
  const int place = static_cast<int>(index % vectors);
  const float4* partial =
      as_vectors(task.partials) + std::int64_t{split.first_slot} * vectors + place;
  float4 sum = partial[0];
  for (int s = 1; s < split.count; ++s) sum = add(sum, partial[std::int64_t{s} * vectors]);
  finish_heavy(task.product, split.row, place, sum);
}

template <typename Launch>
void run_propagate_heavy_blocks(const Launch& launch, const HeavyBlocksTask& task) {
  const ProductTask& product = task.product;
  HeavyBlocksLaunch whole{.task = task, .loop = {}};
  whole.loop.csr = product.csr;
  whole.loop.from_scale = product.from_scale;
  whole.loop.x = product.x;
  whole.loop.y = product.y;
  const std::int64_t vectors = product.x.stride / kVector;
  with_lanes(vectors, [&](auto lanes) {
    launch({.blocks = task.num_stretches + ceil_div(product.y.rows, kRivalThreads / lanes),
            .threads = kRivalThreads,
            .blocks_y = ceil_div(vectors, lanes)},
           propagate_heavy_blocks_kernel<lanes>, whole);
  });
  if (task.num_split == 0) return;
  launch({.blocks = ceil_div(task.num_split * vectors, kRivalThreads), .threads = kRivalThreads},
         propagate_heavy_blocks_join_kernel, task);
}

}  // namespace
}  // namespace tern::cuda
