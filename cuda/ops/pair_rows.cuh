#pragma once

// Unit rows ê = e / max(‖e‖, 1e-12) of the batch's pairs, and the way back from a gradient of ê to that
// of e. One group of lanes a pair. A Task has values[2], units[2] and divisors[2] of as many rows,
// cosines and stride.

#include <cuda_runtime.h>

#include "cuda/ops/pair_softmax.hpp"
#include "cuda/ops/unit_rows.cuh"
#include "cuda/support/group.cuh"
#include "cuda/support/vector.cuh"

namespace tern::cuda {
namespace {

constexpr int kPairThreads = 256;
/// Blocks on a multiprocessor: up to 80 registers a thread. Left to itself, ptxas aims at more blocks
/// and spills, on each architecture in another kernel.
constexpr int kPairBlocks = 3;

/// This thread's pair, one group of `lanes` a pair.
__device__ inline std::int64_t pair_of_group(int lanes) {
  return static_cast<std::int64_t>(blockIdx.x) * (kPairThreads / lanes) +
         static_cast<int>(threadIdx.x) / lanes;
}

/// û·p̂, and ‖û‖, ‖p̂‖: 1, or less if ‖e‖ is below 1e-12.
struct PairProducts {
  double cosine;
  double lengths[2];
};

/// Writes the unit rows of row `left` of the first table and row `right` of the second as pair t, with
/// their divisors and their cosine.
template <int kLanes, typename Task>
__device__ inline PairProducts prepare_pair(const Task& task, const LaneGroup<kLanes>& group,
                                            std::int64_t t, NodeId left, NodeId right) {
  const std::int64_t vectors = task.stride / kVector;
  const float4* user = as_vectors(task.values[0].row(left));
  const float4* item = as_vectors(task.values[1].row(right));
  double user_square = 0.0;
  double item_square = 0.0;
  for (std::int64_t v = group.lane; v < vectors; v += kLanes) {
    const float4 u = __ldg(user + v);
    const float4 p = __ldg(item + v);
    user_square = dot(u, u, user_square);
    item_square = dot(p, p, item_square);
  }
  const double user_norm = sqrt(group.sum(user_square));
  const double item_norm = sqrt(group.sum(item_square));
  const double user_divisor = divisor_of(user_norm);
  const double item_divisor = divisor_of(item_norm);
  const double user_factor = 1.0 / user_divisor;
  const double item_factor = 1.0 / item_divisor;
  float4* user_unit = as_vectors(task.units[0] + t * task.stride);
  float4* item_unit = as_vectors(task.units[1] + t * task.stride);
  double cosine = 0.0;
  for (std::int64_t v = group.lane; v < vectors; v += kLanes) {
    const float4 u = __ldg(user + v);
    const float4 p = __ldg(item + v);
    cosine = dot(u, p, cosine);
    user_unit[v] = scale_f64(user_factor, u);
    item_unit[v] = scale_f64(item_factor, p);
  }
  cosine = group.sum(cosine) * user_factor * item_factor;
  if (group.lane == 0) {
    task.divisors[0][t] = static_cast<float>(user_divisor);
    task.divisors[1][t] = static_cast<float>(item_divisor);
    task.cosines[t] = cosine;
  }
  return {cosine, {user_norm / user_divisor, item_norm / item_divisor}};
}

/// Writes the unit row of row `node` of the second table as column t, with its divisor.
template <int kLanes, typename Task>
__device__ inline void prepare_column(const Task& task, const LaneGroup<kLanes>& group,
                                      std::int64_t t, NodeId node) {
  const std::int64_t vectors = task.stride / kVector;
  const float4* row = as_vectors(task.values[1].row(node));
  double square = 0.0;
  for (std::int64_t v = group.lane; v < vectors; v += kLanes) {
    const float4 x = __ldg(row + v);
    square = dot(x, x, square);
  }
  const double divisor = divisor_of(sqrt(group.sum(square)));
  float4* unit = as_vectors(task.units[1] + t * task.stride);
  for (std::int64_t v = group.lane; v < vectors; v += kLanes) {
    unit[v] = scale_f64(1.0 / divisor, __ldg(row + v));
  }
  if (group.lane == 0) task.divisors[1][t] = static_cast<float>(divisor);
}

/// Vector `place` of the gradient of ê of row t: joined for left, from its splits for right.
__device__ inline float4 softmax_unit_gradient(const SoftmaxTask& task, int table, std::int64_t t,
                                               std::int64_t place) {
  if (table == 0) return as_vectors(task.left_gradient + t * task.stride)[place];
  float4 sum = zero_vector();
#pragma unroll 4
  for (int s = 0; s < task.cuts[1].splits; ++s) {
    sum = add(sum, as_vectors(task.partials + (s * task.sizes[1] + t) * task.stride)[place]);
  }
  if (task.layout.negatives != 0 && t >= task.rows()) return sum;  // no row's own column
  return fma(-task.pulls[t], as_vectors(task.units[0] + t * task.stride)[place], sum);
}

/// How much of ê leaves a gradient: ê·g, or nothing if the divisor is a constant.
template <int kLanes, typename Task, typename Gradient>
__device__ inline float along_unit(const Task& task, const LaneGroup<kLanes>& group, int side,
                                   std::int64_t pair, const Gradient& gradient) {
  const float4* unit = as_vectors(task.units[side] + pair * task.stride);
  double along = 0.0;
  for (std::int64_t v = group.lane; v < task.stride / kVector; v += kLanes) {
    along = dot(unit[v], gradient(v), along);
  }
  along = group.sum(along);
  return task.divisors[side][pair] <= static_cast<float>(kSmallestNorm) ? 0.0F
                                                                        : static_cast<float>(along);
}

/// Vector `place` of ∂e from that of g.
template <typename Task>
__device__ inline float4 projected(const Task& task, int side, std::int64_t pair, float along,
                                   float4 gradient, std::int64_t place) {
  const float4 unit = as_vectors(task.units[side] + pair * task.stride)[place];
  return scale(1.0F / task.divisors[side][pair], fma(-along, unit, gradient));
}

}  // namespace
}  // namespace tern::cuda
