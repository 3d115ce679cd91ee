#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "cuda/support/heavy_rows.hpp"
#include "cuda/support/launch_shape.hpp"
#include "cuda/support/rows.hpp"
#include "tern/view.hpp"

namespace tern::cuda {

struct Queue;

/// Rows with more neighbours are summed by a whole block. 256 because a group's serial sum of that
/// many costs about as much as a few hundred short rows beside it; on Gowalla 243 rows are longer,
/// with 6% of the edges (counted, not measured on a GPU).
inline constexpr EdgeOffset kHeavyDegree = 256;
/// The most neighbours of a heavy row that one block sums; longer rows are shared by several
/// blocks.
inline constexpr EdgeOffset kSegment = 2048;
/// 256 threads a block: 8 warps, so that a block of the widest rows (one a warp) still fills a
/// multiprocessor in a few blocks, and a heavy row has 8 warps.
inline constexpr int kPropagateThreads = 256;

/// The heavy rows of one direction of a graph. The cuts depend on a row's degree alone, so that a
/// row is summed in the same order whichever rows are wanted.
struct HeavyRows {
  std::vector<HeavySegment> segments;
  std::vector<SplitRow> split;
  std::int32_t slots = 0;
};
/// Floats of workspace for the partial sums in these slots.
constexpr std::int64_t partials_size(std::int32_t slots, std::int64_t stride) {
  return slots * stride;
}
/// Throws DeviceError if there are more slots than 32 bits count.
HeavyRows find_heavy_rows(std::span<const EdgeOffset> offsets);

/// One propagation, all pointers on the device; strides in floats, whole vectors.
struct PropagateTask {
  CsrView csr;
  const float* to_scale = nullptr;    // null: 1 everywhere
  const float* from_scale = nullptr;  // likewise
  MatrixView<const float> x;
  MatrixView<float> y;
  RowsView to;                                 // the rows to write
  const std::uint8_t* from_marks = nullptr;    // null: every row of x counts
  const float* addend = nullptr;               // of y's stride; null: none
  const std::uint8_t* addend_marks = nullptr;  // null: every row of the addend counts
  float scale = 1.0F;

  const HeavySegment* segments = nullptr;
  std::int32_t num_segments = 0;
  const SplitRow* split = nullptr;
  std::int32_t num_split = 0;
  float* partials = nullptr;  // (slots, y's stride): workspace
};

/// See propagate.cu.
void launch_propagate(const Queue& queue, const PropagateTask& task);

}  // namespace tern::cuda
