#pragma once

#include "tern/backend.hpp"
#include "tern/loss.hpp"

namespace tern {

/// DirectAU with an L2 penalty: Backend::alignment_uniformity over final embeddings, plus
/// λ/(2B) Σ_t (‖e_u‖² + ‖e_p‖²) over the rows that Model::penalized names.
/// Source: Wang et al. 2022, "Towards Representation Alignment and Uniformity in Collaborative
/// Filtering".
class DirectAuLoss final : public Loss {
 public:
  DirectAuLoss(Backend& backend, const AlignmentUniformityOptions& options, double l2)
      : backend_(backend), options_(options), l2_(l2) {}

  std::string_view name() const override { return "directau"; }
  void backward(Model& model, Batch& batch, Matrix& losses) override;

 private:
  Backend& backend_;
  AlignmentUniformityOptions options_;
  double l2_;
};

}  // namespace tern
