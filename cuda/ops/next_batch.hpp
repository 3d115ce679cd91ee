#pragma once

#include <cstdint>

#include "cuda/ops/batch.hpp"

namespace tern::cuda {

struct Queue;

/// One side of the batches: their distinct rows, and the marks of the current one's.
struct NextBatchSide {
  const NodeId* rows = nullptr;             // of the window's batches
  const std::int32_t* first_row = nullptr;  // (batches of the window + 1)
  std::uint8_t* marks = nullptr;            // (nodes)
  std::int64_t capacity = 0;                // the most distinct rows that a batch can have
};

/// What moves from batch to batch; all pointers on the device.
struct NextBatchTask {
  BatchState* state = nullptr;
  std::int64_t num_batches = 0;
  std::int64_t batch_size = 0;
  std::int64_t num_triplets = 0;  // of the epoch
  NextBatchSide sides[2] = {};    // [Side]
};

/// Where leave_batch goes: to the batch after the current one (after the last, the first), with the
/// window as it is; or to the given batch, which begins a new window.
struct BatchTarget {
  std::int64_t window_first = -1;
};

/// Clears the marks of the current batch's rows and names the next batch; between this and
/// enter_batch a new window may be planned.
void launch_leave_batch(const Queue& queue, const NextBatchTask& task, BatchTarget target);
/// Makes the named batch current: its triplets, its rows and their marks.
void launch_enter_batch(const Queue& queue, const NextBatchTask& task);

}  // namespace tern::cuda
