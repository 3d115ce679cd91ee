#include "host/loss/ccl_loss.hpp"

#include "host/loss/penalty.hpp"

namespace tern {

CclLoss::CclLoss(Backend& backend, const LossOptions& options, double l2)
    : backend_(backend),
      options_{.kind = SampledContrastKind::kCosineContrastive,
               .margin = options.margin,
               .negative_weight = options.softmax.negative_weight},
      l2_(l2) {}

void CclLoss::backward(Model& model, Batch& batch, Matrix& losses) {
  backend_.sampled_contrast(batch.triplets(), options_, model.embeddings(Side::kUser),
                            model.embeddings(Side::kItem), model.embedding_gradient(Side::kUser),
                            model.embedding_gradient(Side::kItem), losses);
  backward_with_penalty(backend_, l2_, model, batch, losses);
}

}  // namespace tern
