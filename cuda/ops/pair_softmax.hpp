#pragma once

#include <algorithm>
#include <cstdint>

#include "cuda/ops/pair_tiles.hpp"

namespace tern::cuda {

/// weight/B Σ_t w_t [ -s_tt / τ + t₂ log Σ_j exp(s_tj / τ + bias_j) ] over the columns j that count,
/// with s_tj = left_t·right_j, and its gradients with respect to the unit rows. B = *count.
struct SoftmaxTask : PairTiles {
  double temperature = 1.0;      // τ
  double negative_weight = 1.0;  // t₂
  double weight = 1.0;
  /// Null: each w_t is 1. Else the β of pair_factor() by user; row t is triplet t of the batch.
  const float* thresholds = nullptr;
  double weight_temperature = 1.0;  // τ_w

  float* left_gradient = nullptr;  // (size, stride)
  float* divisors[2] = {};         // [table] (size): max(‖e‖, 1e-12)
  float* pulls = nullptr;          // (size): -∂loss/∂s_tt, 0 without columns
  double* cosines = nullptr;       // (size): s_tt
  double* terms = nullptr;         // (size): the row's share of B · loss / weight
};

/// Throws ShapeError before the first sample, and on batches larger than kMaxPlanned.
void check_pair_batch(const char* op, bool sampled, std::int64_t batch_size);

/// log₂ e / τ
inline float softmax_sharpness(double temperature) {
  return static_cast<float>(std::min(kLog2E / temperature, 1e30));
}

/// Floats of the workspace: linear in size · stride · splits.
constexpr std::int64_t softmax_workspace_size(std::int64_t size, std::int64_t stride) {
  const std::int64_t splits = pair_cuts(size).splits;
  return (3 + splits) * size * stride + (6 + 2 * splits) * size;
}
/// Points the task's arrays of floats, for its size, stride and cuts, into a workspace, and returns
/// the end of what they take.
float* carve_softmax_workspace(SoftmaxTask& task, float* workspace);

/// From unit rows, cosines and biases: terms, left_gradient, and the partials and pulls of which
/// right's gradient consists (softmax_unit_gradient of pair_rows.cuh).
void launch_softmax_passes(const Queue& queue, const SoftmaxTask& task);

}  // namespace tern::cuda
