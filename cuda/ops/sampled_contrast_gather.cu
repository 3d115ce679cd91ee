// The last launch of sampled_contrast: from the weights of the triplets and the gradients of the pairs'
// unit users to the gradients of the batch's distinct rows, and the loss. See sampled_contrast.cu.

#include <algorithm>

#include "cuda/ops/sampled_contrast_rows.cuh"
#include "cuda/support/group.cuh"
#include "cuda/support/lanes.hpp"
#include "cuda/support/launch.hpp"

namespace tern::cuda {
namespace {

/// Rows that a group gathers at a time: with kContrastAtOnce, four, the weights of both kinds of
/// occurrences would spill on sm_80 and sm_90.
constexpr int kGatheredAtOnce = 3;

/// A distinct row of the batch. For a user, begin and end count pairs, not triplets.
__device__ inline BatchRow contrast_row(const ContrastTask& task, std::int64_t index) {
  BatchRow row = batch_row(task.batch, index);
  if (row.side == 0) row.end = row.begin + (row.end - row.begin) / task.negatives;
  return row;
}

/// Vector `place` of a row's g, summed over its occurrences [begin, end).
__device__ inline float4 contrast_sum(const ContrastTask& task, const BatchRow& row,
                                      std::int32_t begin, std::int32_t end, std::int64_t place) {
  const Triplet* triplets = task.batch.triplets + task.batch.state->first;
  const std::int32_t* occurrences = task.batch.sides[row.side].occurrences;
  float4 sum = zero_vector();
  for (std::int32_t k = begin; k < end; k += kGatheredAtOnce) {
    float weight[kGatheredAtOnce];
    float4 value[kGatheredAtOnce];
#pragma unroll
    for (int j = 0; j < kGatheredAtOnce; ++j) {
      weight[j] = 0.0F;
      if (k + j >= end) continue;
      if (row.side == 0) {
        const std::int32_t first = occurrences[row.begin + (k + j - row.begin) * task.negatives];
        const std::int64_t pair = first / task.negatives;
        weight[j] = 1.0F;
        value[j] = __ldg(as_vectors(task.user_gradient + pair * task.stride) + place);
        continue;
      }
      const std::int32_t occurrence = __ldg(occurrences + k + j);
      const std::int32_t t = occurrence / 2;
      weight[j] = __ldg(task.weights + occurrence);
      if (weight[j] != 0.0F) value[j] = ContrastRow(task, 0, triplets[t].user).unit(place);
    }
#pragma unroll
    for (int j = 0; j < kGatheredAtOnce; ++j) {
      if (weight[j] != 0.0F) sum = fma(weight[j], value[j], sum);
    }
  }
  return sum;
}

/// Calls write(place, vector) with the gradient of the node's row e from that of its unit row.
template <int kLanes, typename Gradient, typename Write>
__device__ inline void project_contrast(const ContrastTask& task, const LaneGroup<kLanes>& group,
                                        const ContrastRow& row, const Gradient& gradient,
                                        const Write& write) {
  double along = 0.0;
  for (std::int64_t v = group.lane; v < task.stride / kVector; v += kLanes) {
    along = dot(row.unit(v), gradient(v), along);
  }
  along = group.sum(along);
  const bool constant = !task.normalizes || row.inverse >= kContrastLargestFactor;
  const float leaves = constant ? 0.0F : static_cast<float>(along);
  for (std::int64_t v = group.lane; v < task.stride / kVector; v += kLanes) {
    write(v, scale(row.inverse, fma(-leaves, row.unit(v), gradient(v))));
  }
}

/// Turns g, which these threads have written to the row, into the row's gradient.
template <int kLanes>
__device__ inline void project_contrast_row(const ContrastTask& task,
                                            const LaneGroup<kLanes>& group, const BatchRow& row,
                                            float4* to) {
  project_contrast(
      task, group, ContrastRow(task, row.side, static_cast<NodeId>(row.row)),
      [to](std::int64_t v) { return to[v]; }, [to](std::int64_t v, float4 x) { to[v] = x; });
}

/// Block 0 writes the loss; in the others a group handles one distinct row.
template <int kLanes>
__global__ void __launch_bounds__(kContrastThreads, kContrastBlocks)
    sampled_contrast_gather_kernel(const __grid_constant__ ContrastTask task) {
  if (blockIdx.x == 0) {
    write_batch_loss(task.batch, task.terms, contrast_pairs(task), task.losses);
    return;
  }
  constexpr int kGroups = kContrastThreads / kLanes;
  const LaneGroup<kLanes> group;
  const std::int64_t vectors = task.stride / kVector;
  const auto gradient_row = [&task](const BatchRow& row) {
    return as_vectors(task.gradients[row.side].row(row.row));
  };
  const BatchRow row = contrast_row(task, contrast_index(kLanes, 1));
  if (row.row >= 0 && !row.many()) {
    float4* to = gradient_row(row);
    for (std::int64_t v = group.lane; v < vectors; v += kLanes) {
      to[v] = contrast_sum(task, row, row.begin, row.end, v);
    }
    project_contrast_row(task, group, row, to);
  }
  if (__syncthreads_or(row.row >= 0 && row.many()) == 0) return;
  const std::int64_t first = static_cast<std::int64_t>(blockIdx.x - 1) * kGroups;
  for (int g = 0; g < kGroups; ++g) {  // the same answer in the whole block
    const BatchRow other = contrast_row(task, first + g);
    if (other.row < 0 || !other.many()) continue;
    const auto sum_of = [&](std::int32_t begin, std::int32_t end, std::int64_t place) {
      return contrast_sum(task, other, begin, end, place);
    };
    sum_long_row(other, kLanes, vectors, sum_of, gradient_row(other));
    if (threadIdx.x < kLanes) project_contrast_row(task, group, other, gradient_row(other));
  }
}

/// Zeroes the gradients of the batch's rows, `lanes` threads a row.
__global__ void __launch_bounds__(kContrastThreads, kContrastBlocks)
    sampled_contrast_zero_kernel(const __grid_constant__ ContrastTask task, int lanes) {
  zero_batch_row(task.batch, task.gradients[blockIdx.y], lanes);
}

/// One group a pair, after block 0, which writes the loss.
template <int kLanes>
__global__ void __launch_bounds__(kContrastThreads, kContrastBlocks)
    sampled_contrast_fused_kernel(const __grid_constant__ ContrastTask task) {
  if (blockIdx.x == 0) {
    write_batch_loss(task.batch, task.terms, contrast_pairs(task), task.losses);
    return;
  }
  const std::int64_t pair = contrast_index(kLanes, 1);
  if (pair >= contrast_pairs(task)) return;
  const LaneGroup<kLanes> group;
  const Triplet* own =
      task.batch.triplets + task.batch.state->first + pair * std::int64_t{task.negatives};
  const float* weights = task.weights + 2 * pair * task.negatives;
  const ContrastRow user(task, 0, own->user);
  const auto add_projected = [&](int side, NodeId node, const auto& gradient) {
    float4* to = as_vectors(task.gradients[side].row(node));
    project_contrast(task, group, ContrastRow(task, side, node), gradient,
                     [to](std::int64_t v, float4 x) { atomic_add(to + v, x); });
  };
  const float4* of_user = as_vectors(task.user_gradient + pair * task.stride);
  add_projected(0, own->user, [&](std::int64_t v) { return __ldg(of_user + v); });
  const float slope = __ldg(weights);
  add_projected(1, own->positive, [&](std::int64_t v) { return scale(slope, user.unit(v)); });
  for (std::int32_t k = 0; k < task.negatives; ++k) {
    const float weight = __ldg(weights + 2 * k + 1);
    if (weight == 0.0F) continue;
    add_projected(1, own[k].negative, [&](std::int64_t v) { return scale(weight, user.unit(v)); });
  }
}

}  // namespace

void launch_sampled_contrast_gather(const Queue& queue, const ContrastTask& task) {
  const Launcher launch(queue);
  const std::int64_t rows = task.batch.sides[0].capacity + task.batch.sides[1].capacity;
  with_lanes(task.stride / kVector, [&](auto width) {
    constexpr int kLanes = decltype(width)::value;
    launch({.blocks = 1 + ceil_div(rows, kContrastThreads / kLanes), .threads = kContrastThreads},
           sampled_contrast_gather_kernel<kLanes>, task);
  });
}

void launch_sampled_contrast_gather_fused(const Queue& queue, const ContrastTask& task) {
  const Launcher launch(queue);
  const std::int64_t rows = std::max(task.batch.sides[0].capacity, task.batch.sides[1].capacity);
  with_lanes(task.stride / kVector, [&](auto width) {
    constexpr int kLanes = decltype(width)::value;
    constexpr int kGroups = kContrastThreads / kLanes;
    launch({.blocks = ceil_div(rows, kGroups), .threads = kContrastThreads, .blocks_y = 2},
           sampled_contrast_zero_kernel, task, kLanes);
    launch({.blocks = 1 + ceil_div(task.pairs(), kGroups), .threads = kContrastThreads},
           sampled_contrast_fused_kernel<kLanes>, task);
  });
}

}  // namespace tern::cuda
