#pragma once

#include "tern/backend.hpp"
#include "tern/loss.hpp"

namespace tern {

/// Bayesian personalised ranking with an L2 penalty:
/// loss = 1/B Σ_t softplus(u·n - u·p) + λ/(2B) Σ_t (‖e_u‖² + ‖e_p‖² + ‖e_n‖²), the first over final
/// embeddings, the second over the rows that Model::penalized names.
/// Source: Rendle et al. 2009; He et al. 2020, eq. 15.
class BprLoss final : public Loss {
 public:
  BprLoss(Backend& backend, double l2) : backend_(backend), l2_(l2) {}

  std::string_view name() const override { return "bpr"; }
  void backward(Model& model, Batch& batch, Matrix& losses) override;

 private:
  Backend& backend_;
  double l2_;
};

}  // namespace tern
