#pragma once

#include "tern/backend.hpp"
#include "tern/loss.hpp"

namespace tern {

/// In-batch softmax with an L2 penalty: Backend::in_batch_softmax over final embeddings, plus
/// λ/(2B) Σ_t (‖e_u‖² + ‖e_p‖²) over the rows that Model::penalized names.
/// Source: Wu et al. 2024, "BSL".
class SoftmaxLoss final : public Loss {
 public:
  SoftmaxLoss(Backend& backend, const InBatchSoftmaxOptions& options, double l2)
      : backend_(backend), options_(options), l2_(l2) {}

  std::string_view name() const override { return "softmax"; }
  void backward(Model& model, Triplets& triplets, Matrix& losses) override;

 private:
  Backend& backend_;
  InBatchSoftmaxOptions options_;
  double l2_;
};

}  // namespace tern
