#include "host/loss/softmax_loss.hpp"

#include "host/loss/penalty.hpp"
#include "host/loss/sampled_softmax_loss.hpp"

namespace tern {

void SoftmaxLoss::backward(Model& model, Batch& batch, Matrix& losses) {
  backend_.in_batch_softmax(batch.triplets(), options_, model.embeddings(Side::kUser),
                            model.embeddings(Side::kItem), model.embedding_gradient(Side::kUser),
                            model.embedding_gradient(Side::kItem), losses);
  backward_with_penalty(backend_, l2_, model, batch, losses);
}

std::unique_ptr<Loss> make_softmax_loss(Backend& backend, SoftmaxNegatives negatives,
                                        InBatchSoftmaxOptions options, double l2) {
  if (negatives == SoftmaxNegatives::kSampled) {
    return std::make_unique<SampledSoftmaxLoss>(backend, options, l2);
  }
  options.columns = negatives == SoftmaxNegatives::kMixed ? SoftmaxColumns::kPairsAndNegatives
                                                          : SoftmaxColumns::kPairs;
  return std::make_unique<SoftmaxLoss>(backend, options, l2);
}

}  // namespace tern
