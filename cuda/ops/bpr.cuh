#pragma once

// The BPR loss of a batch of B triplets and its gradient, in two launches without float atomics.
//
// 1. A group of lanes a triplet: gathers u, p, n (12·B·D bytes), one dot product u·(n - p) joined
// by
//    shuffles; its loss and its weight σ/B go to memory.
// 2. A group of lanes a distinct row, through the row's list of occurrences (plan.cuh): gathers the
//    other rows of its triplets (16·B·D bytes, mostly from the cache that the first launch filled),
//    keeps the gradient in registers, writes it once. Rows of more than kManyOccurrences are left
//    to their whole block, afterwards: portions by the number of occurrences alone, joined by a
//    tree. So every sum has one order. One more block adds up the losses.
// B·D is small (2048·64): both launches are bound by latency, so that as many groups as possible
// run side by side and each has several gathers under way.

#include "cuda/ops/bpr_score.cuh"
#include "cuda/support/block.cuh"
#include "cuda/support/group.cuh"
#include "cuda/support/lanes.hpp"
#include "cuda/support/vector.cuh"

namespace tern::cuda {
namespace {

/// Occurrences that a group sums alone: eight turns of four gathers.
constexpr std::int32_t kManyOccurrences = 32;

/// One group a triplet of the batch.
template <int kLanes>
__global__ void __launch_bounds__(kBprThreads)
    bpr_score_kernel(const __grid_constant__ BprTask task) {
  const std::int64_t t = static_cast<std::int64_t>(blockIdx.x) * (kBprThreads / kLanes) +
                         static_cast<int>(threadIdx.x) / kLanes;
  const std::int64_t count = task.batch.state->count;
  if (t >= count) return;
  const LaneGroup<kLanes> group;
  const Triplet triplet = task.batch.triplets[task.batch.state->first + t];
  const double x = score_difference(task, group, triplet);
  if (group.lane == 0) {
    task.terms[t] = softplus(x);
    task.weights[t] = static_cast<float>(sigmoid(x) / static_cast<double>(count));
  }
}

/// Vector `place` of a row's gradient over its occurrences [begin, end):
/// of a user Σ w_t (n_t - p_t), of an item Σ ±w_t u_t, minus where it is the positive.
__device__ inline float4 gradient_sum(const BprTask& task, int side, std::int32_t begin,
                                      std::int32_t end, std::int64_t place) {
  constexpr int kAtOnce = 4;
  const Triplet* triplets = task.batch.triplets + task.batch.state->first;
  const std::int32_t* occurrences = task.batch.sides[side].occurrences;
  float4 sum = make_float4(0.0F, 0.0F, 0.0F, 0.0F);
  for (std::int32_t k = begin; k < end; k += kAtOnce) {
    float weight[kAtOnce];
    float4 value[kAtOnce];
#pragma unroll
    for (int u = 0; u < kAtOnce; ++u) {
      if (k + u >= end) continue;
      const std::int32_t occurrence = __ldg(occurrences + k + u);
      if (side == 0) {
        const Triplet& triplet = triplets[occurrence];
        weight[u] = __ldg(task.weights + occurrence);
        value[u] = subtract(__ldg(as_vectors(task.items.row(triplet.negative)) + place),
                            __ldg(as_vectors(task.items.row(triplet.positive)) + place));
      } else {
        const float w = __ldg(task.weights + occurrence / 2);
        weight[u] = occurrence % 2 == 0 ? -w : w;
        value[u] = __ldg(as_vectors(task.users.row(triplets[occurrence / 2].user)) + place);
      }
    }
#pragma unroll
    for (int u = 0; u < kAtOnce; ++u) {
      if (k + u < end) sum = fma(weight[u], value[u], sum);
    }
  }
  return sum;
}

/// A distinct row of the batch and its occurrences; row -1 where there is none.
struct BatchRow {
  int side = 0;
  std::int64_t row = -1;
  std::int32_t begin = 0;
  std::int32_t end = 0;

  __device__ bool many() const { return end - begin > kManyOccurrences; }
};

/// The rows of both sides, put end to end: users first, each side with room for its capacity.
__device__ inline BatchRow batch_row(const BatchView& batch, std::int64_t index) {
  BatchRow found;
  if (index >= batch.sides[0].capacity) {
    index -= batch.sides[0].capacity;
    found.side = 1;
  }
  const RowSpan span = batch.state->rows[found.side];
  if (index >= span.count) return found;
  const OccurrencesView& side = batch.sides[found.side];
  found.row = side.rows[span.begin + index];
  found.begin = side.starts[span.begin + index];
  found.end = side.starts[span.begin + index + 1];
  return found;
}

__device__ inline float4* gradient_row(const BprTask& task, const BatchRow& row) {
  return as_vectors((row.side == 0 ? task.grad_users : task.grad_items).row(row.row));
}

/// The gradient of one row by the whole block.
__device__ inline void bpr_long_row(const BprTask& task, int lanes, const BatchRow& row) {
  __shared__ float4 joined[kBprThreads / 2];
  const int groups = kBprThreads / lanes;
  const int group = static_cast<int>(threadIdx.x) / lanes;
  const int lane = static_cast<int>(threadIdx.x) % lanes;
  const std::int64_t vectors = task.users.stride / kVector;
  const std::int32_t portion = (row.end - row.begin + groups - 1) / groups;
  const std::int32_t begin = min(row.begin + group * portion, row.end);
  const std::int32_t end = min(begin + portion, row.end);
  for (std::int64_t first = 0; first < vectors; first += lanes) {
    const std::int64_t place = first + lane;
    float4 sum = make_float4(0.0F, 0.0F, 0.0F, 0.0F);
    if (place < vectors) sum = gradient_sum(task, row.side, begin, end, place);
    for (int half = groups / 2; half > 0; half /= 2) {
      if (group >= half && group < 2 * half) joined[(group - half) * lanes + lane] = sum;
      __syncthreads();
      if (group < half) sum = add(sum, joined[group * lanes + lane]);
      __syncthreads();
    }
    if (group == 0 && place < vectors) gradient_row(task, row)[place] = sum;
  }
}

/// The loss, by block 0: its threads take terms in turn, joined in a fixed order.
__device__ inline void bpr_loss(const BprTask& task) {
  const std::int64_t count = task.batch.state->count;
  double sum = 0.0;
  for (std::int64_t t = threadIdx.x; t < count; t += kBprThreads) sum += task.terms[t];
  sum = block_reduce<Sum>(sum);
  if (threadIdx.x == 0) {
    task.losses(0, task.batch.state->batch) = static_cast<float>(sum / static_cast<double>(count));
  }
}

/// Block 0 sums the loss; the others take one distinct row a group of `lanes`.
__global__ void __launch_bounds__(kBprThreads)
    bpr_gradient_kernel(const __grid_constant__ BprTask task, int lanes) {
  if (blockIdx.x == 0) {
    bpr_loss(task);
    return;
  }
  const int groups = kBprThreads / lanes;
  const std::int64_t first = static_cast<std::int64_t>(blockIdx.x - 1) * groups;
  const BatchRow row = batch_row(task.batch, first + static_cast<int>(threadIdx.x) / lanes);
  if (row.row >= 0 && !row.many()) {
    for (std::int64_t place = static_cast<int>(threadIdx.x) % lanes;
         place < task.users.stride / kVector; place += lanes) {
      gradient_row(task, row)[place] = gradient_sum(task, row.side, row.begin, row.end, place);
    }
  }
  if (__syncthreads_or(row.row >= 0 && row.many()) == 0) return;
  for (int g = 0; g < groups; ++g) {  // rare, and the same answer in the whole block
    const BatchRow other = batch_row(task.batch, first + g);
    if (other.row >= 0 && other.many()) bpr_long_row(task, lanes, other);
  }
}

template <typename Launch>
void run_bpr(const Launch& launch, const BprTask& task) {
  const std::int64_t vectors = task.users.stride / kVector;
  const int lanes = lanes_for(vectors);
  with_lanes(vectors, [&](auto width) {
    constexpr int kLanes = decltype(width)::value;
    launch(LaunchShape{.blocks = pieces(task.batch.batch_size, kBprThreads / kLanes),
                       .threads = kBprThreads},
           bpr_score_kernel<kLanes>, task);
  });
  const std::int64_t rows = task.batch.sides[0].capacity + task.batch.sides[1].capacity;
  launch(LaunchShape{.blocks = 1 + pieces(rows, kBprThreads / lanes), .threads = kBprThreads},
         bpr_gradient_kernel, task, lanes);
}

}  // namespace
}  // namespace tern::cuda
