#pragma once

// The score of a triplet and what follows from it: what both forms of bpr share.

#include <cuda_runtime.h>

#include <cmath>

#include "cuda/ops/bpr.hpp"
#include "cuda/support/group.cuh"
#include "cuda/support/vector.cuh"

namespace tern::cuda {

inline constexpr int kBprThreads = 256;

/// softplus(x) = ln(1 + eˣ) without overflow; f64, since it is one of 2·B numbers.
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

}  // namespace tern::cuda
