#pragma once

#include <algorithm>
#include <cstdint>

#include "cuda/ops/pair_tiles.hpp"

namespace tern::cuda {

/// weight/B Σ_t w_t [ -s_tt / τ + t₂ log Σ_j exp(s_tj / τ + bias_j) ] over the columns j that count,
/// with s_tj = left_t·right_j, and its gradients with respect to the unit rows. B = rows().
struct SoftmaxTask : PairTiles {
  double temperature = 1.0;      // τ
  double negative_weight = 1.0;  // t₂
  double weight = 1.0;
  /// Null: each w_t is 1. Else the β of pair_factor() by user.
  const float* thresholds = nullptr;
  double weight_temperature = 1.0;  // τ_w

  float* left_gradient = nullptr;  // (sizes[0], stride)
  float* divisors[2] = {};         // [table] (sizes[table]): max(‖e‖, 1e-12)
  float* pulls = nullptr;          // (sizes[0]): -∂loss/∂s_tt, 0 without columns
  double* cosines = nullptr;       // (sizes[0]): s_tt
  double* terms = nullptr;         // (sizes[0]): the row's share of B · loss / weight
};

/// Throws ShapeError before the first sample, and on batches of more columns than kMaxPlanned.
void check_pair_batch(const char* op, bool sampled, std::int64_t columns);

/// log₂ e / τ
inline float softmax_sharpness(double temperature) {
  return static_cast<float>(std::min(kLog2E / temperature, 1e30));
}

/// Rows of the gradients in parts, of one pass after the other.
constexpr std::int64_t softmax_partial_rows(std::int64_t rows, std::int64_t columns) {
  return std::max(pair_cuts(rows, columns).splits * rows,
                  pair_cuts(columns, rows).splits * columns);
}
/// Floats of the workspace for as many rows of left and right, keys among them: linear in rows · stride
/// · splits.
constexpr std::int64_t softmax_workspace_size(std::int64_t rows, std::int64_t columns,
                                              std::int64_t stride) {
  const std::int64_t splits = pair_cuts(rows, columns).splits;
  return (2 * rows + columns + softmax_partial_rows(rows, columns)) * stride +
         (5 + 2 * splits) * rows + 3 * columns;
}
/// Points the task's arrays of floats and its keys, for its sizes, stride and cuts, into a workspace,
/// and returns the end of what they take.
float* carve_softmax_workspace(SoftmaxTask& task, float* workspace);

/// From unit rows, cosines and biases: terms, left_gradient, and the partials and pulls of which
/// right's gradient consists (softmax_unit_gradient of pair_rows.cuh).
void launch_softmax_passes(const Queue& queue, const SoftmaxTask& task);

}  // namespace tern::cuda
