#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "cuda/support/gather_copy.hpp"
#include "cuda/support/launch_shape.hpp"
#include "cuda/support/row_cuts.hpp"
#include "cuda/support/rows.hpp"
#include "host/backend/row_segments.hpp"
#include "tern/view.hpp"

namespace tern::cuda {

struct Queue;

/// 256 threads a block: 8 warps, so that a block of the widest rows (one a warp) still fills a
/// multiprocessor in a few blocks.
inline constexpr int kPropagateThreads = 256;

/// How the rows of one direction of a graph are shared. The cuts depend on a row's degree alone, so
/// that a row is summed in the same order whichever rows are wanted. Work is sorted by length, so
/// that the groups of a warp take equally many turns.
struct RowCuts {
  std::vector<NodeId> short_rows;    // of at most kSegment neighbours, longest first
  std::vector<RowSegment> segments;  // of the others, longest first
  std::vector<SplitRow> split;       // the others
  std::int32_t slots = 0;
};
/// Floats of workspace for the partial sums in these slots.
constexpr std::int64_t partials_size(std::int32_t slots, std::int64_t stride) {
  return slots * stride;
}
/// Throws DeviceError if there are more slots than 32 bits count.
RowCuts cut_rows(std::span<const EdgeOffset> offsets);

/// One propagation, all pointers on the device; strides in floats, whole vectors.
struct PropagateTask {
  CsrView csr;
  const float* to_scale = nullptr;    // null: 1 everywhere
  const float* from_scale = nullptr;  // likewise
  MatrixView<const float> x;
  MatrixView<float> y;
  GatherCopyView x_copy = {};                  // read in place of x, if there is one
  GatherCopyView y_copy = {};                  // written too, if there is one
  RowsView to;                                 // the rows to write
  const std::uint8_t* from_marks = nullptr;    // null: every row of x counts
  const float* addend = nullptr;               // of y's stride; null: none
  const std::uint8_t* addend_marks = nullptr;  // null: every row of the addend counts
  float scale = 1.0F;

  const NodeId* short_rows = nullptr;  // what `to` takes if it is every row
  std::int64_t num_short = 0;
  const RowSegment* segments = nullptr;
  std::int32_t num_segments = 0;
  const SplitRow* split = nullptr;
  std::int32_t num_split = 0;
  float* partials = nullptr;  // (slots, y's stride): workspace
};

/// See propagate.cu.
void launch_propagate(const Queue& queue, const PropagateTask& task);

}  // namespace tern::cuda
