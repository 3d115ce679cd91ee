#pragma once

#include "tern/backend.hpp"
#include "tern/loss.hpp"

namespace tern {

/// The cosine contrastive loss over M sampled negatives a pair, with an L2 penalty:
/// Backend::sampled_contrast over final embeddings,
/// 1/P Σ [ (1 - s⁺) + w/M Σ_k max(0, s_k - m) ], P = pairs of the batch, plus
/// λ/(2P) Σ (‖e_u‖² + ‖e_p‖² + 1/M Σ_k ‖e_k‖²) over the rows that Model::penalized names.
/// Source: Mao et al. 2021, "SimpleX".
class CclLoss final : public Loss {
 public:
  /// Reads margin, and negative_weight of the softmax options, which is w.
  CclLoss(Backend& backend, const LossOptions& options, double l2);

  std::string_view name() const override { return "ccl"; }
  void backward(Model& model, Batch& batch, Matrix& losses) override;

 private:
  Backend& backend_;
  SampledContrastOptions options_;
  double l2_;
};

}  // namespace tern
