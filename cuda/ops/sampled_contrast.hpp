#pragma once

#include <cstdint>

#include "cuda/support/batch.hpp"
#include "tern/backend.hpp"
#include "tern/expression.hpp"
#include "tern/view.hpp"

namespace tern::cuda {

struct Queue;

/// The current batch's loss over sampled negatives; all pointers on the device. M: negatives a pair.
struct ContrastTask {
  BatchView batch;
  MatrixView<const float> values[2];  // [Side]
  MatrixView<float> gradients[2];     // [Side]
  MatrixView<float> losses;           // (terms, batches of the epoch)
  SampledContrastKind kind = SampledContrastKind::kSoftmax;
  double temperature = 1.0;      // τ
  double margin = 0.0;           // m
  bool normalizes = true;        // false: rows themselves take the place of unit rows
  double negative_weight = 1.0;  // t₂ or w
  /// Null: each pair counts 1. Else the β of pair_factor() by user; only for kSoftmax.
  const float* thresholds = nullptr;
  double weight_temperature = 1.0;  // τ_w
  float sharpness = 0.0F;           // 1/τ
  std::int32_t negatives = 1;       // M
  std::int64_t size = 0;            // batch_size, a multiple of M
  std::int64_t stride = 0;          // of the tables' rows and of user_gradient's

  float* user_gradient = nullptr;  // (size / M, stride) workspace: gradient of û of each pair
  float* inverses[2] = {};         // [Side] (nodes) workspace: 1 / max(‖e‖, 1e-12)
  /// (2 size) workspace, by occurrences of items: at 2t ∂loss/∂s⁺ if triplet t is the first of a pair,
  /// else 0; at 2t + 1 the cosine of its negative, then ∂loss/∂s_k.
  float* weights = nullptr;
  double* terms = nullptr;  // (size / M) workspace: each pair's share of P · loss

  constexpr std::int64_t pairs() const { return size / negatives; }
};

/// Floats of the workspace of user_gradient, inverses and weights.
constexpr std::int64_t contrast_workspace_size(const ContrastTask& task) {
  return task.pairs() * task.stride + task.values[0].rows + task.values[1].rows + 2 * task.size;
}
/// Points user_gradient, inverses and weights into a workspace of that size.
void carve_contrast_workspace(ContrastTask& task, float* workspace);

/// The reproducible form, see sampled_contrast.cu. program: of kExpression, else null.
void launch_sampled_contrast(const Queue& queue, const ContrastTask& task,
                             const PairProgram* program = nullptr);

/// Fills the gradients at the batch's rows, and the loss, from user_gradient, inverses, weights
/// and terms. See sampled_contrast_gather.cu.
void launch_sampled_contrast_gather(const Queue& queue, const ContrastTask& task);
/// The same by float atomics, without the plan of occurrences.
void launch_sampled_contrast_gather_fused(const Queue& queue, const ContrastTask& task);

}  // namespace tern::cuda
