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
// in order by a second kernel.

#include "cuda/ops/propagate.hpp"

#include <algorithm>
#include <functional>
#include <limits>

#include "cuda/backend.hpp"
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

/// The epilogue of one vector of a row's sum.
__device__ inline void finish(const PropagateTask& task, std::int64_t row, int place, float4 sum) {
  const std::int64_t at = row * (task.y.stride / kVector) + place;
  float4 value = scale(scale_of(task.to_scale, row), sum);
  if (task.addend != nullptr && (task.addend_marks == nullptr || task.addend_marks[row] != 0)) {
    value = add(value, __ldg(as_vectors(task.addend) + at));
  }
  value = scale(task.scale, value);
  as_vectors(task.y.data)[at] = value;
  store_copy(task.y_copy, row, place, value);
}

/// The work of one group: neighbours [begin, end) of a row.
struct Portion {
  std::int64_t row = -1;   // -1: nothing to do
  std::int32_t slot = -1;  // of the partial sum; -1: none, the sum is the row's
  EdgeOffset begin = 0;
  EdgeOffset end = 0;
};

__device__ inline Portion portion_of_segment(const RowSegment& segment, const RowsView& to) {
  if (to.marks != nullptr && to.marks[segment.row] == 0) return {};
  return {segment.row, segment.slot, segment.begin, segment.end};
}

/// A whole row, unless it is cut into segments.
__device__ inline Portion portion_of_row(const PropagateTask& task, std::int64_t index) {
  const bool every = task.to.rows == nullptr;
  if (index >= (every ? task.num_short : task.to.span->count)) return {};
  const std::int64_t row =
      every ? task.short_rows[index] : task.to.rows[task.to.span->begin + index];
  const EdgeOffset begin = __ldg(task.csr.offsets + row);
  const EdgeOffset end = __ldg(task.csr.offsets + row + 1);
  if (end - begin > kSegment) return {};
  return {row, -1, begin, end};
}

/// One group a segment, then one a row.
/// Grid: ((segments + rows) / groups, tiles of kLanes · kChunks vectors).
template <int kLanes, int kChunks, bool kMarked, typename Rows>
__global__ void __launch_bounds__(kPropagateThreads, kMinBlocks<kChunks>)
    propagate_group_per_row_kernel(const __grid_constant__ PropagateTask task) {
  constexpr int kGroups = kPropagateThreads / kLanes;
  const std::int64_t index =
      static_cast<std::int64_t>(blockIdx.x) * kGroups + static_cast<int>(threadIdx.x) / kLanes;
  const Portion portion = index < task.num_segments
                              ? portion_of_segment(task.segments[index], task.to)
                              : portion_of_row(task, index - task.num_segments);
  const RowLanes<kLanes, kChunks, Rows> lanes(task);
  RowSum<kChunks, Rows> sum;
  add_neighbours<kLanes, kChunks, kMarked>(
      task, lanes,
      {task.csr.columns + portion.begin, static_cast<int>(portion.end - portion.begin)}, sum);
  if (portion.row < 0) return;
  const int vectors = static_cast<int>(task.y.stride / kVector);
#pragma unroll
  for (int c = 0; c < kChunks; ++c) {
    // This use of the number lets the compiler know that it has 32 bits: the loop then finds an address
    // by one multiplication.
    if (lanes.place(c) >= lanes.vectors) continue;
#pragma unroll
    for (int part = 0; part < Rows::kParts; ++part) {
      const int place = lanes.place(c) * Rows::kParts + part;
      if (place >= vectors) continue;
      if (portion.slot < 0) {
        finish(task, portion.row, place, sum.chunk[c][part]);
      } else {
        const std::int64_t at = static_cast<std::int64_t>(portion.slot) * vectors + place;
        as_vectors(task.partials)[at] = sum.chunk[c][part];
      }
    }
  }
}

/// Joins the partial sums of rows of several segments, in order. One thread a vector; eight of its
/// loads are under way at a time.
__global__ void __launch_bounds__(kPropagateThreads)
    propagate_join_segments_kernel(const __grid_constant__ PropagateTask task) {
  const int vectors = static_cast<int>(task.y.stride / kVector);
  const std::int64_t index =
      static_cast<std::int64_t>(blockIdx.x) * kPropagateThreads + threadIdx.x;
  if (index >= static_cast<std::int64_t>(task.num_split) * vectors) return;
  const SplitRow split = task.split[index / vectors];
  const int place = static_cast<int>(index % vectors);
  if (task.to.marks != nullptr && task.to.marks[split.row] == 0) return;
  const float4* partial =
      as_vectors(task.partials) + static_cast<std::int64_t>(split.first_slot) * vectors + place;
  float4 sum = partial[0];
#pragma unroll 8
  for (int s = 1; s < split.count; ++s) {
    sum = add(sum, partial[static_cast<std::int64_t>(s) * vectors]);
  }
  finish(task, split.row, place, sum);
}

template <typename Rows, int kLanes, int kChunks>
void launch_rows(const Launcher& launch, const PropagateTask& task) {
  const std::int64_t rows = task.to.every() ? task.num_short : task.to.capacity;
  const std::int64_t vectors = Rows::vectors(task);
  const LaunchShape shape{.blocks = ceil_div(task.num_segments + rows, kPropagateThreads / kLanes),
                          .threads = kPropagateThreads,
                          .blocks_y = ceil_div(vectors, kLanes * kChunks)};
  if (task.from_marks == nullptr) {
    launch(shape, propagate_group_per_row_kernel<kLanes, kChunks, false, Rows>, task);
  } else {
    launch(shape, propagate_group_per_row_kernel<kLanes, kChunks, true, Rows>, task);
  }
}

/// Chooses (lanes, chunks) by the width; rows wider than 1024 go in tiles.
template <typename Rows>
void launch_every_row(const Launcher& launch, const PropagateTask& task) {
  const std::int64_t vectors = Rows::vectors(task);
  if (vectors <= 1) {
    launch_rows<Rows, 1, 1>(launch, task);
  } else if (vectors <= 2) {
    launch_rows<Rows, 2, 1>(launch, task);
  } else if (vectors <= 4) {
    launch_rows<Rows, 4, 1>(launch, task);
  } else if (vectors <= 8) {
    launch_rows<Rows, 8, 1>(launch, task);
  } else if (vectors <= 16) {
    launch_rows<Rows, 16, 1>(launch, task);
  } else if (vectors <= 32) {
    launch_rows<Rows, 32, 1>(launch, task);
  } else if (vectors <= 64) {
    launch_rows<Rows, 32, 2>(launch, task);
  } else if (vectors <= 96) {
    launch_rows<Rows, 32, 3>(launch, task);
  } else if (vectors <= 128 || Rows::kParts > 1) {
    launch_rows<Rows, 32, 4>(launch, task);
  } else if (vectors <= 192) {
    launch_rows<F32Rows, 32, 6>(launch, task);
  } else {
    launch_rows<F32Rows, 32, 8>(launch, task);
  }
}

}  // namespace

void launch_propagate(const Queue& queue, const PropagateTask& task) {
  const Launcher launch(queue);
  const std::int64_t vectors = task.y.stride / kVector;
  if (task.y.rows == 0 || vectors == 0) return;
  if (task.x_copy.values == nullptr) {
    launch_every_row<F32Rows>(launch, task);
  } else {
    launch_every_row<Bf16Rows>(launch, task);
  }
  if (task.num_split > 0) {
    launch({.blocks = ceil_div(task.num_split * vectors, kPropagateThreads),
            .threads = kPropagateThreads},
           propagate_join_segments_kernel, task);
  }
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
    cuts.split.push_back({row, cuts.slots, static_cast<std::int32_t>(count)});
    for (EdgeOffset begin = offsets[r]; begin < offsets[r + 1]; begin += size) {
      cuts.segments.push_back({row, cuts.slots++, begin, std::min(begin + size, offsets[r + 1])});
    }
  }
  // Stable: rows and segments of one length stay in the order of memory.
  std::ranges::stable_sort(cuts.short_rows, std::greater(), [&](NodeId row) {
    return offsets[static_cast<std::size_t>(row) + 1] - offsets[static_cast<std::size_t>(row)];
  });
  std::ranges::stable_sort(cuts.segments, std::greater(),
                           [](const RowSegment& segment) { return segment.end - segment.begin; });
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
                     .split = rows.split.data(),
                     .num_split = static_cast<std::int32_t>(rows.split.size())};
  task.partials = grow(rows.partials, partials_size(rows.slots, task.x.stride), "propagate");
  if (options.from != nullptr) task.from_marks = row_view(options.from).marks;
  if (options.addend != nullptr) task.addend = view(*options.addend).data;
  if (options.addend_rows != nullptr) task.addend_marks = row_view(options.addend_rows).marks;
  launch_propagate(queue(), task);
}

}  // namespace tern::cuda
