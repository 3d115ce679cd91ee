#pragma once

#include "tern/backend.hpp"
#include "tern/loss.hpp"

namespace tern {

/// Softmax over M sampled negatives a pair, with an L2 penalty: Backend::sampled_contrast over final
/// embeddings, 1/P Σ [ -s⁺/τ + t₂ log Σ_k exp(s_k / τ) ], P = pairs of the batch, plus
/// λ/(2P) Σ (‖e_u‖² + ‖e_p‖² + 1/M Σ_k ‖e_k‖²) over the rows that Model::penalized names.
/// Source: Wu et al. 2024, "On the Effectiveness of Sampled Softmax Loss for Item Recommendation".
class SampledSoftmaxLoss final : public Loss {
 public:
  /// Reads temperature, negative_weight and pair_weight. No mask is needed: negatives are never
  /// observed items.
  SampledSoftmaxLoss(Backend& backend, const InBatchSoftmaxOptions& options, double l2);

  std::string_view name() const override { return "softmax"; }
  void backward(Model& model, Batch& batch, Matrix& losses) override;

 private:
  Backend& backend_;
  SampledContrastOptions options_;
  double l2_;
};

}  // namespace tern
