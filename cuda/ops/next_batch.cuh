#pragma once

// From one batch to the next, on the device alone. Two launches: a row may belong to both batches,
// so that all old marks must be gone before the first new one is set. One byte read and written at
// random and four read in order, for each distinct row of the batch: a few microseconds of latency.
// The plan is not copied: what follows the batch is where in the window's arrays it lies.

#include "cuda/ops/next_batch.hpp"

#include <cuda_runtime.h>

#include "cuda/support/launch_shape.hpp"

namespace tern::cuda {
namespace {

constexpr int kNextBatchThreads = 256;

/// Grid: (rows, sides).
__global__ void __launch_bounds__(kNextBatchThreads)
    leave_batch_kernel(const __grid_constant__ NextBatchTask task, BatchTarget target) {
  const NextBatchSide& side = task.sides[blockIdx.y];
  const RowSpan span = task.state->rows[blockIdx.y];
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kNextBatchThreads + threadIdx.x;
  if (i < span.count) side.marks[side.rows[span.begin + i]] = 0;
  if (i == 0 && blockIdx.y == 0) {  // nobody else reads these here
    const std::int64_t next = task.state->batch + 1;
    if (target.window_first >= 0) {
      task.state->batch = target.window_first;
      task.state->window_first = target.window_first;
    } else {
      task.state->batch = next == task.num_batches ? 0 : next;
    }
  }
}

/// Grid: (rows, sides).
__global__ void __launch_bounds__(kNextBatchThreads)
    enter_batch_kernel(const __grid_constant__ NextBatchTask task) {
  const NextBatchSide& side = task.sides[blockIdx.y];
  const std::int64_t batch = task.state->batch;
  const std::int64_t place = batch - task.state->window_first;
  const std::int64_t begin = side.first_row[place];
  const std::int64_t count = side.first_row[place + 1] - begin;
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kNextBatchThreads + threadIdx.x;
  if (i < count) side.marks[side.rows[begin + i]] = 1;
  if (i == 0) {  // nobody else reads these here
    task.state->rows[blockIdx.y] = RowSpan{begin, count};
    if (blockIdx.y == 0) {
      task.state->first = place * task.batch_size;
      task.state->count = min(task.batch_size, task.num_triplets - batch * task.batch_size);
    }
  }
}

inline LaunchShape next_batch_shape(const NextBatchTask& task) {
  const std::int64_t rows = task.sides[0].capacity > task.sides[1].capacity
                                ? task.sides[0].capacity
                                : task.sides[1].capacity;
  return {.blocks = pieces(rows, kNextBatchThreads), .threads = kNextBatchThreads, .blocks_y = 2};
}

template <typename Launch>
void run_leave_batch(const Launch& launch, const NextBatchTask& task, BatchTarget target) {
  launch(next_batch_shape(task), leave_batch_kernel, task, target);
}

template <typename Launch>
void run_enter_batch(const Launch& launch, const NextBatchTask& task) {
  launch(next_batch_shape(task), enter_batch_kernel, task);
}

}  // namespace
}  // namespace tern::cuda
