#pragma once

#include "tern/backend.hpp"
#include "tern/model.hpp"

namespace tern {

/// Bayesian personalised ranking with the L2 penalty on layer 0, as one object: it knows which ops
/// it is made of and in which order they meet the model's backward pass; a trainer knows neither.
/// loss = 1/B Σ_t softplus(u·n - u·p) + λ/(2B) Σ_t (‖e_u‖² + ‖e_p‖² + ‖e_n‖²), the first over final
/// embeddings, the second over layer-0 rows. Source: Rendle et al. 2009; He et al. 2020, eq. 15.
class BprLoss {
 public:
  /// Rows of `losses`: the two addends.
  static constexpr std::int64_t kTerms = 2;

  BprLoss(Backend& backend, double l2) : backend_(backend), l2_(l2) {}

  /// From final embeddings of the current batch (after forward()) to its loss in column `current
  /// batch` of losses, (kTerms, num_batches), and to the gradients of all parameters. A step op.
  void backward(Model& model, Triplets& triplets, Matrix& losses) const;

 private:
  Backend& backend_;
  double l2_;
};

}  // namespace tern
