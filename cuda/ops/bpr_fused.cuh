#pragma once

// BPR with float atomics, for those who give bitwise reproducibility away: nothing is planned
// ahead.
//
// On entering a batch one kernel draws its triplets and lists their rows (an atomic mark settles
// who lists a row); the models need the rows before the loss, so that drawing cannot wait for it.
// Then one kernel, a group of lanes a triplet, gathers u, p, n once (12·B·D bytes), scores, and
// adds to the three gradients where they lie (12·B·D bytes of atomics): no occurrence lists, no
// second gather. Sums have no order, so that equal runs differ in the last bits.

#include "cuda/ops/bpr_fused.hpp"
#include "cuda/ops/bpr_score.cuh"
#include "cuda/ops/draw.cuh"
#include "cuda/support/block.cuh"
#include "cuda/support/lanes.hpp"

namespace tern::cuda {
namespace {

/// Marks a row; whether it was not marked before.
__device__ inline bool mark_first(std::uint8_t* marks, std::int64_t row) {
  auto* word = reinterpret_cast<unsigned*>(marks) + row / 4;
  const unsigned bit = 1u << (row % 4 * 8);
  return (atomicOr(word, bit) & bit) == 0;
}

__device__ inline void list_row(const FusedBatchTask& task, int s, NodeId row) {
  const FusedSide& side = task.sides[s];
  if (!mark_first(side.marks, row)) return;
  auto* count = reinterpret_cast<unsigned long long*>(&task.state->rows[s].count);
  side.rows[atomicAdd(count, 1ull)] = row;
}

/// One thread a triplet of the batch.
__global__ void __launch_bounds__(kBprThreads)
    bpr_fused_batch_kernel(const __grid_constant__ FusedBatchTask task) {
  const std::int64_t t = static_cast<std::int64_t>(blockIdx.x) * kBprThreads + threadIdx.x;
  const std::int64_t first = task.state->batch * task.batch_size;
  const std::int64_t count = min(task.batch_size, task.num_triplets - first);
  if (t == 0) {  // nobody reads these here
    task.state->first = 0;
    task.state->count = count;
  }
  if (t >= count) return;
  const TripletSource& source = *task.source;
  const Triplet triplet =
      source.given != nullptr ? source.given[first + t] : draw_triplet(source.sample, first + t);
  task.triplets[t] = triplet;
  list_row(task, 0, triplet.user);
  list_row(task, 1, triplet.positive);
  list_row(task, 1, triplet.negative);
}

/// Zeroes the gradients of the batch's rows, `lanes` threads a row, and the batch's loss.
__global__ void __launch_bounds__(kBprThreads)
    bpr_fused_zero_kernel(const __grid_constant__ BprTask task, int lanes) {
  const int s = static_cast<int>(blockIdx.y);
  const MatrixView<float>& gradient = s == 0 ? task.grad_users : task.grad_items;
  const std::int64_t index = static_cast<std::int64_t>(blockIdx.x) * (kBprThreads / lanes) +
                             static_cast<int>(threadIdx.x) / lanes;
  if (index == 0 && s == 0 && threadIdx.x == 0) {
    task.losses(0, task.batch.state->batch) = 0.0F;
  }
  const RowSpan span = task.batch.state->rows[s];
  if (index >= span.count) return;
  float4* row = as_vectors(gradient.row(task.batch.sides[s].rows[span.begin + index]));
  for (std::int64_t v = static_cast<int>(threadIdx.x) % lanes; v < gradient.stride / kVector;
       v += lanes) {
    row[v] = make_float4(0.0F, 0.0F, 0.0F, 0.0F);
  }
}

/// One group a triplet.
template <int kLanes>
__global__ void __launch_bounds__(kBprThreads)
    bpr_fused_kernel(const __grid_constant__ BprTask task) {
  const std::int64_t t = static_cast<std::int64_t>(blockIdx.x) * (kBprThreads / kLanes) +
                         static_cast<int>(threadIdx.x) / kLanes;
  const std::int64_t count = task.batch.state->count;
  if (t >= count) return;
  const LaneGroup<kLanes> group;
  const Triplet triplet = task.batch.triplets[task.batch.state->first + t];
  const double x = score_difference(task, group, triplet);
  if (group.lane == 0) {
    atomicAdd(&task.losses(0, task.batch.state->batch),
              static_cast<float>(softplus(x) / static_cast<double>(count)));
  }
  const auto weight = static_cast<float>(sigmoid(x) / static_cast<double>(count));
  const float4* user = as_vectors(task.users.row(triplet.user));
  const float4* positive = as_vectors(task.items.row(triplet.positive));
  const float4* negative = as_vectors(task.items.row(triplet.negative));
  float4* grad_user = as_vectors(task.grad_users.row(triplet.user));
  float4* grad_positive = as_vectors(task.grad_items.row(triplet.positive));
  float4* grad_negative = as_vectors(task.grad_items.row(triplet.negative));
  for (std::int64_t v = group.lane; v < task.users.stride / kVector; v += kLanes) {
    const float4 u = __ldg(user + v);
    atomic_add(grad_user + v, scale(weight, subtract(__ldg(negative + v), __ldg(positive + v))));
    atomic_add(grad_positive + v, scale(-weight, u));
    atomic_add(grad_negative + v, scale(weight, u));
  }
}

/// One group a triplet and one of its three rows; grid: (triplets, 3). The term of the loss goes to
/// terms[3 t + row of the triplet].
template <int kLanes>
__global__ void __launch_bounds__(kBprThreads)
    l2_penalty_fused_kernel(const __grid_constant__ L2PenaltyTask task) {
  const std::int64_t t = static_cast<std::int64_t>(blockIdx.x) * (kBprThreads / kLanes) +
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
  if (group.lane == 0) task.terms[3 * t + which] = square;
}

/// One block: its threads take terms in turn, joined in a fixed order.
__global__ void __launch_bounds__(kBprThreads)
    l2_penalty_fused_loss_kernel(const __grid_constant__ L2PenaltyTask task) {
  const std::int64_t count = task.batch.state->count;
  double sum = 0.0;
  for (std::int64_t t = threadIdx.x; t < 3 * count; t += kBprThreads) sum += task.terms[t];
  sum = block_reduce<Sum>(sum);
  if (threadIdx.x == 0) {
    task.losses(1, task.batch.state->batch) =
        static_cast<float>(task.lambda / (2.0 * static_cast<double>(count)) * sum);
  }
}

template <typename Launch>
void run_fused_batch(const Launch& launch, const FusedBatchTask& task) {
  launch(LaunchShape{.blocks = pieces(task.batch_size, kBprThreads), .threads = kBprThreads},
         bpr_fused_batch_kernel, task);
}

template <typename Launch>
void run_bpr_fused(const Launch& launch, const BprTask& task) {
  const std::int64_t vectors = task.users.stride / kVector;
  const int lanes = lanes_for(vectors);
  const std::int64_t rows = task.batch.sides[0].capacity > task.batch.sides[1].capacity
                                ? task.batch.sides[0].capacity
                                : task.batch.sides[1].capacity;
  launch(
      LaunchShape{
          .blocks = pieces(rows, kBprThreads / lanes), .threads = kBprThreads, .blocks_y = 2},
      bpr_fused_zero_kernel, task, lanes);
  with_lanes(vectors, [&](auto width) {
    constexpr int kLanes = decltype(width)::value;
    launch(LaunchShape{.blocks = pieces(task.batch.batch_size, kBprThreads / kLanes),
                       .threads = kBprThreads},
           bpr_fused_kernel<kLanes>, task);
  });
}

template <typename Launch>
void run_l2_penalty_fused(const Launch& launch, const L2PenaltyTask& task) {
  with_lanes(task.values[0].stride / kVector, [&](auto width) {
    constexpr int kLanes = decltype(width)::value;
    launch(LaunchShape{.blocks = pieces(task.batch.batch_size, kBprThreads / kLanes),
                       .threads = kBprThreads,
                       .blocks_y = 3},
           l2_penalty_fused_kernel<kLanes>, task);
  });
  launch(LaunchShape{.blocks = 1, .threads = kBprThreads}, l2_penalty_fused_loss_kernel, task);
}

}  // namespace
}  // namespace tern::cuda
