#pragma once

// λ/(2B) Σ (‖u‖² + ‖p‖² + ‖n‖²) over a batch and its gradient. A row that occurs c times adds
// λ c/(2B) ‖row‖²: one pass over the distinct rows, 12·D bytes each (the row and its gradient read,
// the gradient written), one group of lanes a row; then one block sums the terms in a fixed order.

#include "cuda/ops/l2_penalty.hpp"
#include "cuda/support/block.cuh"
#include "cuda/support/group.cuh"
#include "cuda/support/lanes.hpp"
#include "cuda/support/vector.cuh"

namespace tern::cuda {
namespace {

constexpr int kL2Threads = 256;

/// One group a distinct row; grid: (rows, sides).
template <int kLanes>
__global__ void __launch_bounds__(kL2Threads)
    l2_penalty_rows_kernel(const __grid_constant__ L2PenaltyTask task) {
  const int s = static_cast<int>(blockIdx.y);
  const OccurrencesView& side = task.batch.sides[s];
  const RowSpan span = task.batch.state->rows[s];
  const std::int64_t index = static_cast<std::int64_t>(blockIdx.x) * (kL2Threads / kLanes) +
                             static_cast<int>(threadIdx.x) / kLanes;
  if (index >= span.count) return;
  const LaneGroup<kLanes> group;
  const std::int64_t row = side.rows[span.begin + index];
  const double times = side.starts[span.begin + index + 1] - side.starts[span.begin + index];
  const auto count = static_cast<double>(task.batch.state->count);
  const auto weight = static_cast<float>(task.lambda * times / count);
  const float4* values = as_vectors(task.values[s].row(row));
  float4* gradient = as_vectors(task.gradients[s].row(row));
  float square = 0.0F;
  for (std::int64_t v = group.lane; v < task.values[s].stride / kVector; v += kLanes) {
    const float4 x = values[v];
    gradient[v] = fma(weight, x, gradient[v]);
    square = dot(x, x, square);
  }
  square = group.sum(square);
  if (group.lane == 0) {
    task.terms[(s == 0 ? 0 : task.batch.sides[0].capacity) + index] = times * square;
  }
}

/// One block: its threads take terms in turn, joined in a fixed order.
__global__ void __launch_bounds__(kL2Threads)
    l2_penalty_loss_kernel(const __grid_constant__ L2PenaltyTask task) {
  const double* terms = task.terms;
  double sum = 0.0;
  for (int s = 0; s < 2; ++s) {
    for (std::int64_t r = threadIdx.x; r < task.batch.state->rows[s].count; r += kL2Threads) {
      sum += terms[r];
    }
    terms += task.batch.sides[s].capacity;
  }
  sum = block_reduce<Sum>(sum);
  if (threadIdx.x == 0) {
    const auto count = static_cast<double>(task.batch.state->count);
    task.losses(1, task.batch.state->batch) = static_cast<float>(task.lambda / (2.0 * count) * sum);
  }
}

template <typename Launch>
void run_l2_penalty(const Launch& launch, const L2PenaltyTask& task) {
  const std::int64_t rows = task.batch.sides[0].capacity > task.batch.sides[1].capacity
                                ? task.batch.sides[0].capacity
                                : task.batch.sides[1].capacity;
  with_lanes(task.values[0].stride / kVector, [&](auto width) {
    constexpr int kLanes = decltype(width)::value;
    launch(
        LaunchShape{
            .blocks = pieces(rows, kL2Threads / kLanes), .threads = kL2Threads, .blocks_y = 2},
        l2_penalty_rows_kernel<kLanes>, task);
  });
  launch(LaunchShape{.blocks = 1, .threads = kL2Threads}, l2_penalty_loss_kernel, task);
}

}  // namespace
}  // namespace tern::cuda
