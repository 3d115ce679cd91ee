// propagate: one propagation to the rows of y. Source: He et al. 2020, eq. 7.
//
//   y = scale · (s_to ⊙ (A (s_from ⊙ x)) + addend)
//
// x: (C, D), y: (R, D), A: (R, C) with E entries as CSR, scales: (R) and (C). The order of every
// sum depends on the row alone: bitwise reproducible, whichever rows are wanted.
//
// Moves E·D·4 bytes of x (gathered), E·4 of ids, E·4 of scales (gathered), R·D·4 of y, and as much
// of the addend; the arithmetic, 2·E·D flops, hides behind the gather. So the mapping serves the
// gather alone: a group of lanes holds one row of y in registers, 16 bytes a lane, and loads the
// rows of several neighbours before it uses the first (propagate_neighbours.cuh).
//
// If x has a bf16 copy, its rows are gathered instead, E·D·2 bytes; the same sums as of a rounded x. If y
// has one, it is written along.
//
// A group takes a row of at most kSegment neighbours, or a segment of a longer row: no group works
// much longer than another, and no block waits for one row. Segments come first in the grid, and rows
// are sorted by length, so that the groups of a warp take equally many turns; the rows of a set come
// as the set has them. Order of a sum: FMAs in CSR order within a group; the segments of a row, joined
// in order by the group that finishes the last of them.
//
// In a recorded step both directions of a layer share a launch (pending_ops.hpp): segments of both,
// then rows of both. The last of the backward pass then makes Adam's step too: the gathers wait for the
// L2, Adam for the memory (propagate_finish.cuh).

#include "cuda/ops/propagate.hpp"

#include <algorithm>
#include <functional>
#include <limits>

#include "cuda/backend.hpp"
#include "cuda/ops/pending_ops.hpp"
#include "cuda/ops/propagate_neighbours.cuh"
#include "cuda/support/bf16.cuh"
#include "cuda/support/vector.cuh"
#include "host/backend/checks.hpp"
#include "tern/error.hpp"

namespace tern::cuda {
namespace {

/// The fewest blocks of 256 threads that a multiprocessor must hold: ptxas may spend 64 or 128 of
/// its 65536 registers on a thread.
template <int kChunks>
constexpr int kMinBlocks = kChunks == 1 ? 4 : 2;

/// A launch as its kernel sees it: blocks for the segments of both tasks, then for their rows.
struct PropagateGrid {
  PropagateLaunch launch;
  std::int64_t ends[3] = {};  // of the blocks of segments 0, segments 1, rows 0

  /// The task of a block, by conditions that are the same for all its threads.
  __device__ int task_of(std::int64_t block) const {
    return block < ends[1] ? block >= ends[0] : block >= ends[2];
  }
  __device__ bool has_segments(std::int64_t block) const { return block < ends[1]; }
  /// The block's place among those with work of its kind of its task.
  __device__ std::int64_t place_of(std::int64_t block) const {
    if (block < ends[0]) return block;
    return block - (block < ends[1] ? ends[0] : block < ends[2] ? ends[1] : ends[2]);
  }
};

/// The work of one group: `size` neighbours of a row.
struct Portion {
  NodeId row = -1;  // -1: nothing to do
  EdgeOffset begin = 0;
  std::int32_t size = 0;
};

__device__ inline Portion portion_of_segment(const PropagateTask& task, std::int64_t index) {
  if (index >= task.num_segments) return {};
  const RowSegment segment = task.segments[index];
  if (task.to.marks != nullptr && task.to.marks[segment.row] == 0) return {};
  return {segment.row, segment.begin, segment.size};
}

/// A whole row, unless it is cut into segments.
__device__ inline Portion portion_of_row(const PropagateTask& task, std::int64_t index) {
  const bool every = task.to.rows == nullptr;
  if (index >= (every ? task.num_short : task.to.span->count)) return {};
  const NodeId row = every ? task.short_rows[index] : task.to.rows[task.to.span->begin + index];
  const EdgeOffset begin = __ldg(task.csr.offsets + row);
  const EdgeOffset end = __ldg(task.csr.offsets + row + 1);
  if (end - begin > kSegment) return {};
  return {row, begin, static_cast<std::int32_t>(end - begin)};
}

/// Stores the partial sum of a segment. The group that stores the last one of a row joins them all: so
/// no second launch waits for the whole grid, and the order of the sum is that of the slots.
template <int kLanes, int kChunks, typename Rows>
__device__ void join_segments(const PropagateTask& task, const RowUpdate& update,
                              const AdamCoefficients& coefficients,
                              const RowLanes<kLanes, kChunks, Rows>& lanes,
                              const RowSegment& segment, const RowSum<kChunks, Rows>& sum) {
  const LaneGroup<kLanes>& group = lanes.group;
  SplitRow& split = task.split[segment.split];
  float4* slots = as_vectors(task.partials);
  const int vectors = static_cast<int>(task.y.stride / kVector);
#pragma unroll
  for (int c = 0; c < kChunks; ++c) {
    if (lanes.place(c) >= lanes.vectors) continue;
#pragma unroll
    for (int part = 0; part < Rows::kParts; ++part) {
      const int place = lanes.place(c) * Rows::kParts + part;
      if (place >= vectors) continue;
      slots[static_cast<std::int64_t>(segment.slot) * vectors + place] = sum.chunk[c][part];
    }
  }
  __threadfence();  // the partial sums of all lanes are seen before their number
  group.sync();
  std::int32_t before = 0;
  if (group.lane == 0) before = atomicAdd(&split.stored, 1);
  before = group.broadcast(before, 0);
  const std::int32_t tiles = static_cast<std::int32_t>(gridDim.y);
  if (before + 1 < split.count * tiles) return;
  if (group.lane == 0) split.stored = 0;  // for the next launch
  __threadfence();
  group.sync();
  FinishedRow<kLanes> row(task, update, coefficients, segment.row);
  for (int place = group.lane; place < vectors; place += kLanes) {
    const float4* partial = slots + static_cast<std::int64_t>(split.first_slot) * vectors + place;
    float4 joined = __ldcg(partial);
#pragma unroll 8
    for (int s = 1; s < split.count; ++s) {
      joined = add(joined, __ldcg(partial + static_cast<std::int64_t>(s) * vectors));
    }
    row.vector(place, joined);
  }
  row.end(group);
}

/// One group a segment or a row. Grid: (blocks of PropagateGrid, tiles of kLanes · kChunks vectors).
template <int kLanes, int kChunks, bool kMarked, typename Rows>
__global__ void __launch_bounds__(kPropagateThreads, kMinBlocks<kChunks>)
    propagate_group_per_row_kernel(const __grid_constant__ PropagateGrid grid) {
  __shared__ AdamCoefficients coefficients;
  constexpr int kGroups = kPropagateThreads / kLanes;
  const int which = grid.task_of(blockIdx.x);
  const PropagateTask& task = grid.launch.tasks[which];
  const RowUpdate& update = grid.launch.updates[which];
  const bool segments = grid.has_segments(blockIdx.x);
  const std::int64_t index =
      grid.place_of(blockIdx.x) * kGroups + static_cast<int>(threadIdx.x) / kLanes;
  const Portion portion = segments ? portion_of_segment(task, index) : portion_of_row(task, index);
  const bool updates = update.adam.parameter != nullptr;
  const RowLanes<kLanes, kChunks, Rows> lanes(task);
  RowSum<kChunks, Rows> sum;
  add_neighbours<kLanes, kChunks, kMarked>(task, lanes,
                                           {task.csr.columns + portion.begin, portion.size}, sum);
  if (updates) {
    // The last warp has the shortest rows of the block, and time left.
    if (threadIdx.x == kPropagateThreads - 1) coefficients = adam_coefficients(update.adam);
    __syncthreads();
  }
  if (portion.row < 0) return;
  if (segments) {
    // In 32 bits, as their number: what outlives the loop costs it registers.
    join_segments(task, update, coefficients, lanes,
                  task.segments[static_cast<std::int32_t>(index)], sum);
    return;
  }
  FinishedRow<kLanes> row(task, update, coefficients, portion.row);
  const int vectors = static_cast<int>(task.y.stride / kVector);
#pragma unroll
  for (int c = 0; c < kChunks; ++c) {
    // This use of the number lets the compiler know that it has 32 bits: the loop then finds an address
    // by one multiplication.
    if (lanes.place(c) >= lanes.vectors) continue;
#pragma unroll
    for (int part = 0; part < Rows::kParts; ++part) {
      const int place = lanes.place(c) * Rows::kParts + part;
      if (place < vectors) row.vector(place, sum.chunk[c][part]);
    }
  }
  row.end(lanes.group);
}

template <typename Rows, int kLanes, int kChunks>
void launch_rows(const Launcher& launch, const PropagateLaunch& wanted) {
  PropagateGrid grid{wanted};
  std::int64_t blocks[2][2] = {};  // [segments or rows][task]
  for (int i = 0; i < wanted.count; ++i) {
    const PropagateTask& task = wanted.tasks[i];
    const std::int64_t rows = task.to.every() ? task.num_short : task.to.capacity;
    blocks[0][i] = ceil_div(task.num_segments, kPropagateThreads / kLanes);
    blocks[1][i] = ceil_div(rows, kPropagateThreads / kLanes);
  }
  grid.ends[0] = blocks[0][0];
  grid.ends[1] = grid.ends[0] + blocks[0][1];
  grid.ends[2] = grid.ends[1] + blocks[1][0];
  const std::int64_t vectors = Rows::vectors(wanted.tasks[0]);
  const LaunchShape shape{.blocks = grid.ends[2] + blocks[1][1],
                          .threads = kPropagateThreads,
                          .blocks_y = ceil_div(vectors, kLanes * kChunks)};
  if (wanted.tasks[0].from_marks == nullptr) {
    launch(shape, propagate_group_per_row_kernel<kLanes, kChunks, false, Rows>, grid);
  } else {
    launch(shape, propagate_group_per_row_kernel<kLanes, kChunks, true, Rows>, grid);
  }
}

/// Chooses (lanes, chunks) by the width; rows wider than 1024 go in tiles.
template <typename Rows>
void launch_every_row(const Launcher& launch, const PropagateLaunch& wanted) {
  const std::int64_t vectors = Rows::vectors(wanted.tasks[0]);
  if (vectors <= 1) {
    launch_rows<Rows, 1, 1>(launch, wanted);
  } else if (vectors <= 2) {
    launch_rows<Rows, 2, 1>(launch, wanted);
  } else if (vectors <= 4) {
    launch_rows<Rows, 4, 1>(launch, wanted);
  } else if (vectors <= 8) {
    launch_rows<Rows, 8, 1>(launch, wanted);
  } else if (vectors <= 16) {
    launch_rows<Rows, 16, 1>(launch, wanted);
  } else if (vectors <= 32) {
    launch_rows<Rows, 32, 1>(launch, wanted);
  } else if (vectors <= 64) {
    launch_rows<Rows, 32, 2>(launch, wanted);
  } else if (vectors <= 96) {
    launch_rows<Rows, 32, 3>(launch, wanted);
  } else if (vectors <= 128 || Rows::kParts > 1) {
    launch_rows<Rows, 32, 4>(launch, wanted);
  } else if (vectors <= 192) {
    launch_rows<F32Rows, 32, 6>(launch, wanted);
  } else {
    launch_rows<F32Rows, 32, 8>(launch, wanted);
  }
}

}  // namespace

void launch_propagate(const Queue& queue, const PropagateLaunch& wanted) {
  const Launcher launch(queue);
  const PropagateTask& first = wanted.tasks[0];
  if (first.y.rows == 0 || first.y.stride == 0) return;
  if (first.x_copy.values == nullptr) {
    launch_every_row<F32Rows>(launch, wanted);
  } else {
    launch_every_row<Bf16Rows>(launch, wanted);
  }
}

void launch_propagate(const Queue& queue, const PropagateTask& task) {
  PropagateLaunch alone;
  alone.tasks[0] = task;
  launch_propagate(queue, alone);
}

RowCuts cut_rows(std::span<const EdgeOffset> offsets) {
  RowCuts cuts;
  for (std::size_t r = 0; r + 1 < offsets.size(); ++r) {
    const EdgeOffset degree = offsets[r + 1] - offsets[r];
    const auto row = static_cast<NodeId>(r);
    const EdgeOffset count = segments_of_row(degree);
    if (count == 0) {
      cuts.short_rows.push_back(row);
      continue;
    }
    const EdgeOffset size = segment_size(degree);
    if (cuts.slots + count > std::numeric_limits<std::int32_t>::max()) {
      throw DeviceError("graph too large: its rows of more than " + std::to_string(kSegment) +
                        " neighbours need more than 2147483647 segments");
    }
    const auto split = static_cast<std::int32_t>(cuts.split.size());
    cuts.split.push_back({row, cuts.slots, static_cast<std::int32_t>(count)});
    for (EdgeOffset begin = offsets[r]; begin < offsets[r + 1]; begin += size) {
      const EdgeOffset end = std::min(begin + size, offsets[r + 1]);
      cuts.segments.push_back(
          {row, cuts.slots++, split, static_cast<std::int32_t>(end - begin), begin});
    }
  }
  // Stable: rows and segments of one length stay in the order of memory.
  std::ranges::stable_sort(cuts.short_rows, std::greater(), [&](NodeId row) {
    return offsets[static_cast<std::size_t>(row) + 1] - offsets[static_cast<std::size_t>(row)];
  });
  std::ranges::stable_sort(cuts.segments, std::greater(),
                           [](const RowSegment& segment) { return segment.size; });
  return cuts;
}

void CudaBackend::propagate(const Graph& graph, Side to, const Matrix& x, Matrix& y,
                            const PropagateOptions& options) {
  const Range range("propagate");
  check_propagate(graph, to, x, y, options);
  GraphStorage& parts = storage(graph);
  const DeviceScope scope = use_device();
  Direction& rows = parts.direction(to);
  const auto scales_of = [&](Direction& direction, const Matrix* given) -> const float* {
    if (given != nullptr) return view(*given).data;
    return options.normalization == Normalization::kDegree ? direction.scale.data() : nullptr;
  };
  PropagateTask task{.csr = parts.csr(to),
                     .to_scale = scales_of(rows, options.to_scales),
                     .from_scale = scales_of(parts.direction(opposite(to)), options.from_scales),
                     .x = read_only_view(x),
                     .y = view(y),
                     .x_copy = copy_view(x),
                     .y_copy = copy_view(y),
                     .to = row_view(options.to),
                     .scale = static_cast<float>(options.scale),
                     .short_rows = rows.short_rows.data(),
                     .num_short = rows.short_rows.size(),
                     .segments = rows.segments.data(),
                     .num_segments = static_cast<std::int32_t>(rows.segments.size()),
                     .split = rows.split.data()};
  if (options.from != nullptr) task.from_marks = row_view(options.from).marks;
  if (options.addend != nullptr) task.addend = view(*options.addend).data;
  if (options.addend_rows != nullptr) task.addend_marks = row_view(options.addend_rows).marks;
  const bool shares = recording_ != nullptr && recording_->pending().accepts(task);
  const Queue now = shares ? Queue() : queue();
  // After what waits is launched: it may use the partial sums that this frees.
  task.partials = grow(rows.partials, partials_size(rows.slots, task.x.stride), "propagate");
  if (recording_ != nullptr) {
    recording_->pending().add(task);
  } else {
    launch_propagate(now, task);
  }
}

}  // namespace tern::cuda
