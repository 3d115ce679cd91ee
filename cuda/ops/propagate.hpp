#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "cuda/ops/adam.hpp"
#include "cuda/support/batch.hpp"
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
  SplitRow* split = nullptr;
  float* partials = nullptr;  // (slots, y's stride): workspace
};

/// The updates that a propagation makes if its result y is the whole gradient of a table: it adds the
/// gradient of the L2 penalty to the batch's rows, and makes a step of Adam. It stores y too.
struct RowUpdate {
  AdamTask adam;                         // of the rows of y; parameter null: nothing follows
  double lambda = 0.0;                   // of the penalty; 0: none
  const BatchState* batch = nullptr;     // this and the members below: only with a penalty
  const RowSpan* span = nullptr;         // of the side of y within the window
  const std::int32_t* starts = nullptr;  // OccurrencesView::starts of this side
  RowPlaces places;
  double* terms = nullptr;  // by row of the batch: occurrences · ‖row of the table‖²
};

/// Propagations in one launch, and what follows each.
struct PropagateLaunch {
  PropagateTask tasks[2] = {};
  RowUpdate updates[2] = {};
  int count = 1;
};

/// Whether a group of lanes finishes whole rows of this stride, so that a RowUpdate may follow.
constexpr bool finishes_rows(std::int64_t stride) {
  return stride <= 1024;
}

/// See propagate.cu. The tasks of a launch have rows of one stride, both have marks of x or neither has,
/// both have a copy of x or neither has, and none reads or writes what another writes. Updates follow every row:
/// `to` is all rows.
void launch_propagate(const Queue& queue, const PropagateLaunch& launch);
/// The same of one task alone.
void launch_propagate(const Queue& queue, const PropagateTask& task);

}  // namespace tern::cuda
