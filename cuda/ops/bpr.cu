// bpr: the BPR loss of a batch of B triplets (u, p, n) and its gradient. Source: Rendle et al.
// 2009, eq. 4.
//
//   loss = 1/B Σ_t softplus(x_t),  x_t = u_t·n_t - u_t·p_t
//   ∂/∂u = 1/B Σ σ(x_t) (n_t - p_t),  ∂/∂p = -1/B Σ σ(x_t) u_t,  ∂/∂n = 1/B Σ σ(x_t) u_t
//
// users and their gradient: (U, D); items and theirs: (I, D), used at the batch's rows alone.
//
// The reproducible form takes two launches and no float atomics, so every sum has one order:
//
// 1. A group of lanes handles a triplet: it gathers u, p, n (12·B·D bytes) and computes one dot
//    product u·(n - p), joined by shuffles. The triplet's loss and its weight σ/B go to memory.
// 2. A group of lanes handles a distinct row, through the row's list of occurrences
//    (next_batch_plan.cu): it gathers the other rows of its triplets (16·B·D bytes, mostly from the
//    cache that the first launch filled), keeps the gradient in registers, and writes it once. A
//    row of more than kManyOccurrences is left to its whole block, afterwards: portions that depend
//    on the number of occurrences alone, joined by a tree. One more block adds up the losses.
//
// The fused form gives bitwise reproducibility away and needs no plan: one kernel, a group of lanes
// a triplet, gathers u, p, n once (12·B·D bytes), scores, and adds to the three gradients where
// they lie (12·B·D bytes of atomics). Its sums have no fixed order: equal runs differ in the last
// bits.
//
// If several ranks share the columns, a kernel computes the part of each x_t that this rank's columns give; the
// parts of all ranks are gathered (4·B bytes a rank) and added in f64, in ascending order of the ranks, by
// another kernel, which then does what is left of 1. The rest needs no other columns.
//
// B·D is small (2048·64): all launches are bound by latency. So as many groups as possible run side
// by side, and each has several gathers under way.

#include "cuda/ops/bpr.hpp"

#include <algorithm>
#include <cmath>

#include "cuda/backend.hpp"
#include "cuda/ops/batch_row.cuh"
#include "cuda/support/block.cuh"
#include "cuda/support/group.cuh"
#include "cuda/support/lanes.hpp"
#include "cuda/support/vector.cuh"
#include "host/backend/checks.hpp"

namespace tern::cuda {
namespace {

constexpr int kBprThreads = kBatchRowThreads;
/// Blocks on a multiprocessor: up to 80 registers a thread. Left to itself, ptxas aims at more blocks
/// and spills for sm_86 and sm_89.
constexpr int kBprGradientBlocks = 3;

/// softplus(x) = ln(1 + eˣ) without overflow; in f64, which costs little: once a triplet.
__device__ inline double softplus(double x) {
  return fmax(x, 0.0) + log1p(exp(-fabs(x)));
}
__device__ inline double sigmoid(double x) {
  return 1.0 / (1.0 + exp(-x));
}

/// Σ_f u_f (n_f - p_f) in every lane of the group.
template <int kLanes>
__device__ float score_difference(const BprTask& task, const LaneGroup<kLanes>& group,
                                  const Triplet& triplet) {
  const float4* user = as_vectors(task.users.row(triplet.user));
  const float4* positive = as_vectors(task.items.row(triplet.positive));
  const float4* negative = as_vectors(task.items.row(triplet.negative));
  float sum = 0.0F;
  for (std::int64_t v = group.lane; v < task.users.stride / kVector; v += kLanes) {
    sum = dot(__ldg(user + v), subtract(__ldg(negative + v), __ldg(positive + v)), sum);
  }
  return group.sum(sum);
}

/// The loss and the weight of triplet t of a batch, from x_t.
__device__ inline void weigh(const BprTask& task, std::int64_t t, double x) {
  task.terms[t] = softplus(x);
  task.weights[t] = static_cast<float>(sigmoid(x) / static_cast<double>(task.batch.state->count));
}

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
  if (group.lane == 0) weigh(task, t, x);
}

/// The same with a part of the columns: part[t] is theirs of x_t.
template <int kLanes>
__global__ void __launch_bounds__(kBprThreads)
    bpr_part_kernel(const __grid_constant__ BprTask task, float* part) {
  const std::int64_t t = static_cast<std::int64_t>(blockIdx.x) * (kBprThreads / kLanes) +
                         static_cast<int>(threadIdx.x) / kLanes;
  if (t >= task.batch.state->count) return;
  const LaneGroup<kLanes> group;
  const float x = score_difference(task, group, task.batch.triplets[task.batch.state->first + t]);
  if (group.lane == 0) part[t] = x;
}

/// One thread a triplet: x_t from the parts of all ranks.
__global__ void __launch_bounds__(kBprThreads)
    bpr_join_kernel(const __grid_constant__ BprTask task, int ranks) {
  const std::int64_t t = static_cast<std::int64_t>(blockIdx.x) * kBprThreads + threadIdx.x;
  if (t >= task.batch.state->count) return;
  double x = task.parts[t];
  for (int r = 1; r < ranks; ++r) x += task.parts[r * task.batch.batch_size + t];
  weigh(task, t, x);
}

/// Vector `place` of a row's gradient, summed over its occurrences [begin, end): for a user
/// Σ w_t (n_t - p_t), for an item Σ ±w_t u_t, minus for a positive.
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

__device__ inline float4* gradient_row(const BprTask& task, const BatchRow& row) {
  return as_vectors((row.side == 0 ? task.grad_users : task.grad_items).row(row.row));
}

/// Block 0 sums the loss; in the others each group of `lanes` threads handles one distinct row.
__global__ void __launch_bounds__(kBprThreads, kBprGradientBlocks)
    bpr_gradient_kernel(const __grid_constant__ BprTask task, int lanes) {
  if (blockIdx.x == 0) {
    write_batch_loss(task.batch, task.terms, task.losses);
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
    if (other.row < 0 || !other.many()) continue;
    sum_long_row(
        other, lanes, task.users.stride / kVector,
        [&](std::int32_t begin, std::int32_t end, std::int64_t place) {
          return gradient_sum(task, other.side, begin, end, place);
        },
        gradient_row(task, other));
  }
}

/// Zeroes the gradients of the batch's rows, `lanes` threads a row, and the batch's loss.
__global__ void __launch_bounds__(kBprThreads)
    bpr_fused_zero_kernel(const __grid_constant__ BprTask task, int lanes) {
  if (blockIdx.x == 0 && blockIdx.y == 0 && threadIdx.x == 0) {
    task.losses(0, task.batch.state->batch) = 0.0F;
  }
  zero_batch_row(task.batch, blockIdx.y == 0 ? task.grad_users : task.grad_items, lanes);
}

/// One group a triplet; all sums by atomics.
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

void launch_bpr_fused(const Queue& queue, const BprTask& task) {
  const Launcher launch(queue);
  const std::int64_t vectors = task.users.stride / kVector;
  const int lanes = lanes_for(vectors);
  const std::int64_t rows = std::max(task.batch.sides[0].capacity, task.batch.sides[1].capacity);
  launch({.blocks = ceil_div(rows, kBprThreads / lanes), .threads = kBprThreads, .blocks_y = 2},
         bpr_fused_zero_kernel, task, lanes);
  with_lanes(vectors, [&](auto width) {
    constexpr int kLanes = decltype(width)::value;
    launch(
        {.blocks = ceil_div(task.batch.batch_size, kBprThreads / kLanes), .threads = kBprThreads},
        bpr_fused_kernel<kLanes>, task);
  });
}

void launch_scores(const Queue& queue, const BprTask& task) {
  const Launcher launch(queue);
  const std::int64_t size = task.batch.batch_size;
  with_lanes(task.users.stride / kVector, [&](auto width) {
    constexpr int kLanes = decltype(width)::value;
    const LaunchShape shape{.blocks = ceil_div(size, kBprThreads / kLanes), .threads = kBprThreads};
    if (queue.ranks == nullptr) {
      launch(shape, bpr_score_kernel<kLanes>, task);
    } else {
      launch(shape, bpr_part_kernel<kLanes>, task, task.parts + queue.ranks->rank() * size);
    }
  });
  if (queue.ranks == nullptr) return;
  // Those of a shorter batch too: a recorded step gathers as many in every replay.
  queue.ranks->gather(queue, task.parts, size);
  launch({.blocks = ceil_div(size, kBprThreads), .threads = kBprThreads}, bpr_join_kernel, task,
         queue.ranks->size());
}

}  // namespace

void launch_bpr(const Queue& queue, const BprTask& task) {
  const Launcher launch(queue);
  const std::int64_t vectors = task.users.stride / kVector;
  const int lanes = lanes_for(vectors);
  launch_scores(queue, task);
  const std::int64_t rows = task.batch.sides[0].capacity + task.batch.sides[1].capacity;
  launch({.blocks = 1 + ceil_div(rows, kBprThreads / lanes), .threads = kBprThreads},
         bpr_gradient_kernel, task, lanes);
}

void CudaBackend::bpr(Triplets& triplets, const Matrix& users, const Matrix& items,
                      Matrix& grad_users, Matrix& grad_items, Matrix& losses) {
  const Range range("bpr");
  check_bpr(triplets, users, items, grad_users, grad_items, losses);
  const TripletsStorage& state = storage(triplets);
  check_sampled("bpr", state.sampled);
  const DeviceScope scope = use_device();
  const BprTask task{.batch = state.batch_view(),
                     .users = read_only_view(users),
                     .items = read_only_view(items),
                     .grad_users = view(grad_users),
                     .grad_items = view(grad_items),
                     .losses = view(losses),
                     .weights = state.weights.data(),
                     .terms = state.terms.data(),
                     .parts = state.score_parts.data()};
  state.fused ? launch_bpr_fused(queue(), task) : launch_bpr(queue(), task);
  refresh_copies({&grad_users, &grad_items, &losses});
}

}  // namespace tern::cuda
