// l2_penalty: the L2 penalty of a batch of B triplets (u, p, n) and its gradient. Source:
// LightGCN-PyTorch's regulariser.
//
//   loss = λ/(2B) Σ_t (‖u_t‖² + ‖p_t‖² + ‖n_t‖²), without n_t for pairs
//   ∂/∂row += λ/B · (occurrences of the row) · row
//
// users and their gradient: (U, D); items and theirs: (I, D), used at the batch's rows alone.
//
// The reproducible form needs the plan of next_batch_plan.cu: one group of lanes handles a distinct
// row, 12·D bytes each (the row and its gradient read, the gradient written); then one block sums
// the terms in a fixed order. If several ranks share the columns, it sums the part of theirs; the parts of all
// ranks are gathered (8 bytes a rank) and added in ascending order of the ranks. The fused form needs no plan: one group handles one row of one
// triplet and adds to the gradient by float atomics, so equal runs differ in the last bits.

#include "cuda/ops/l2_penalty.hpp"

#include <algorithm>

#include "cuda/backend.hpp"
#include "cuda/ops/increment_step.cuh"
#include "cuda/support/block.cuh"
#include "cuda/support/group.cuh"
#include "cuda/support/lanes.hpp"
#include "cuda/support/vector.cuh"
#include "host/backend/checks.hpp"

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

/// The penalty of a batch, from Σ occurrences · ‖row‖² over its distinct rows.
__device__ inline void write_penalty(const L2PenaltyTask& task, double sum) {
  const auto count = static_cast<double>(task.batch.state->count);
  task.losses(1, task.batch.state->batch) = static_cast<float>(task.lambda / (2.0 * count) * sum);
}

/// The first block: threads sum terms kL2Threads apart, then join in a fixed order; the sum goes to `part`
/// if this rank has a part of the columns. A second block increments a counter, if there is one.
__global__ void __launch_bounds__(kL2Threads)
    l2_penalty_loss_kernel(const __grid_constant__ L2PenaltyTask task, IncrementTask increment,
                           double* part) {
  if (blockIdx.x > 0) {
    if (threadIdx.x == 0) increment_counter(increment);
    return;
  }
  const double* terms = task.terms;
  double sum = 0.0;
  for (int s = 0; s < 2; ++s) {
    for (std::int64_t r = threadIdx.x; r < task.batch.state->rows[s].count; r += kL2Threads) {
      sum += terms[r];
    }
    terms += task.batch.sides[s].capacity;
  }
  sum = block_reduce<Sum>(sum);
  if (threadIdx.x > 0) return;
  if (part != nullptr) {
    *part = sum;
  } else {
    write_penalty(task, sum);
  }
}

/// One thread.
__global__ void l2_penalty_join_kernel(const __grid_constant__ L2PenaltyTask task, int ranks) {
  double sum = task.parts[0];
  for (int r = 1; r < ranks; ++r) sum += task.parts[r];
  write_penalty(task, sum);
}

/// One group a triplet and one of its R = 3 (pairs: 2) rows; grid: (triplets, R). The term of the
/// loss goes to terms[R t + index of the row in the triplet].
template <int kLanes>
__global__ void __launch_bounds__(kL2Threads)
    l2_penalty_fused_kernel(const __grid_constant__ L2PenaltyTask task) {
  const std::int64_t t = static_cast<std::int64_t>(blockIdx.x) * (kL2Threads / kLanes) +
                         static_cast<int>(threadIdx.x) / kLanes;
  const std::int64_t count = task.batch.state->count;
  if (t >= count) return;
  const LaneGroup<kLanes> group;
  const Triplet triplet = task.batch.triplets[task.batch.state->first + t];
  const int which = static_cast<int>(blockIdx.y);
  const int s = which == 0 ? 0 : 1;
  const NodeId row = which == 0 ? triplet.user : which == 1 ? triplet.positive : triplet.negative;
  const auto weight = static_cast<float>(task.lambda / static_cast<double>(count));
  const float4* values = as_vectors(task.values[s].row(row));
  float4* gradient = as_vectors(task.gradients[s].row(row));
  float square = 0.0F;
  for (std::int64_t v = group.lane; v < task.values[s].stride / kVector; v += kLanes) {
    const float4 x = __ldg(values + v);
    atomic_add(gradient + v, scale(weight, x));
    square = dot(x, x, square);
  }
  square = group.sum(square);
  if (group.lane == 0) task.terms[task.rows_per_triplet * t + which] = square;
}

/// As l2_penalty_loss_kernel, over the terms of l2_penalty_fused_kernel.
__global__ void __launch_bounds__(kL2Threads)
    l2_penalty_fused_loss_kernel(const __grid_constant__ L2PenaltyTask task) {
  const std::int64_t count = task.batch.state->count;
  double sum = 0.0;
  const std::int64_t terms = task.rows_per_triplet * count;
  for (std::int64_t t = threadIdx.x; t < terms; t += kL2Threads) sum += task.terms[t];
  sum = block_reduce<Sum>(sum);
  if (threadIdx.x == 0) {
    task.losses(1, task.batch.state->batch) =
        static_cast<float>(task.lambda / (2.0 * static_cast<double>(count)) * sum);
  }
}

void launch_l2_penalty_fused(const Queue& queue, const L2PenaltyTask& task) {
  const Launcher launch(queue);
  with_lanes(task.values[0].stride / kVector, [&](auto width) {
    constexpr int kLanes = decltype(width)::value;
    launch({.blocks = ceil_div(task.batch.batch_size, kL2Threads / kLanes),
            .threads = kL2Threads,
            .blocks_y = task.rows_per_triplet},
           l2_penalty_fused_kernel<kLanes>, task);
  });
  launch({.blocks = 1, .threads = kL2Threads}, l2_penalty_fused_loss_kernel, task);
}

}  // namespace

void launch_l2_penalty(const Queue& queue, const L2PenaltyTask& task) {
  const Launcher launch(queue);
  const std::int64_t rows = std::max(task.batch.sides[0].capacity, task.batch.sides[1].capacity);
  with_lanes(task.values[0].stride / kVector, [&](auto width) {
    constexpr int kLanes = decltype(width)::value;
    launch({.blocks = ceil_div(rows, kL2Threads / kLanes), .threads = kL2Threads, .blocks_y = 2},
           l2_penalty_rows_kernel<kLanes>, task);
  });
  launch_l2_penalty_loss(queue, task);
}

void launch_l2_penalty_loss(const Queue& queue, const L2PenaltyTask& task,
                            const IncrementTask& increment) {
  const Launcher launch(queue);
  double* part = queue.ranks == nullptr ? nullptr : task.parts + queue.ranks->rank();
  launch({.blocks = increment.counter == nullptr ? 1 : 2, .threads = kL2Threads},
         l2_penalty_loss_kernel, task, increment, part);
  if (queue.ranks == nullptr) return;
  queue.ranks->gather(queue, task.parts, 1);
  launch({.blocks = 1, .threads = 1}, l2_penalty_join_kernel, task, queue.ranks->size());
}

void CudaBackend::l2_penalty(Triplets& triplets, double lambda, const Matrix& users,
                             const Matrix& items, Matrix& grad_users, Matrix& grad_items,
                             Matrix& losses) {
  const Range range("l2_penalty");
  check_l2_penalty(triplets, lambda, users, items, grad_users, grad_items, losses);
  const TripletsStorage& state = storage(triplets);
  check_sampled("l2_penalty", state.sampled);
  const DeviceScope scope = use_device();
  const L2PenaltyTask task{.batch = state.batch_view(),
                           .rows_per_triplet = 1 + state.options.items_per_triplet(),
                           .lambda = lambda,
                           .values = {read_only_view(users), read_only_view(items)},
                           .gradients = {view(grad_users), view(grad_items)},
                           .losses = view(losses),
                           .terms = state.terms.data(),
                           .parts = state.norm_parts.data(),
                           .places = {state.row_places(0), state.row_places(1)}};
  if (state.fused) {
    launch_l2_penalty_fused(queue(), task);
  } else if (deferred(task)) {
    // The copies of the gradients are written where these are (pending_ops.cu).
    refresh_copies({&losses});
    return;
  } else {
    launch_l2_penalty(queue(), task);
  }
  refresh_copies({&grad_users, &grad_items, &losses});
}

}  // namespace tern::cuda
