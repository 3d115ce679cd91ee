#include "host/loss/sampled_softmax_loss.hpp"

#include "host/loss/penalty.hpp"

namespace tern {

SampledSoftmaxLoss::SampledSoftmaxLoss(Backend& backend, const InBatchSoftmaxOptions& options,
                                       double l2)
    : backend_(backend),
      options_{.kind = SampledContrastKind::kSoftmax,
               .temperature = options.temperature,
               .negative_weight = options.negative_weight,
               .pair_weight = options.pair_weight},
      l2_(l2) {}

void SampledSoftmaxLoss::backward(Model& model, Batch& batch, Matrix& losses) {
  backend_.sampled_contrast(batch.triplets(), options_, model.embeddings(Side::kUser),
                            model.embeddings(Side::kItem), model.embedding_gradient(Side::kUser),
                            model.embedding_gradient(Side::kItem), losses);
  backward_with_penalty(backend_, l2_, model, batch, losses);
}

}  // namespace tern
