#pragma once

#include <memory>

#include "tern/backend.hpp"
#include "tern/loss.hpp"

namespace tern {

/// In-batch softmax with an L2 penalty: Backend::in_batch_softmax over final embeddings, plus
/// λ/(2B) Σ_t (‖e_u‖² + ‖e_p‖²) over the rows that Model::penalized names; with columns of sampled
/// negatives the penalty is that of SampledSoftmaxLoss.
/// Source: Wu et al. 2024, "BSL"; Yang et al. 2020, "Mixed Negative Sampling".
class SoftmaxLoss final : public Loss {
 public:
  SoftmaxLoss(Backend& backend, const InBatchSoftmaxOptions& options, double l2)
      : backend_(backend), options_(options), l2_(l2) {}

  std::string_view name() const override { return "softmax"; }
  void backward(Model& model, Batch& batch, Matrix& losses) override;

 private:
  Backend& backend_;
  InBatchSoftmaxOptions options_;
  double l2_;
};

/// Softmax over these negatives: a SoftmaxLoss or a SampledSoftmaxLoss. It sets the
/// columns of the options.
std::unique_ptr<Loss> make_softmax_loss(Backend& backend, SoftmaxNegatives negatives,
                                        InBatchSoftmaxOptions options, double l2);

}  // namespace tern
