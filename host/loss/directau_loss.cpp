#include "host/loss/directau_loss.hpp"

#include "host/loss/penalty.hpp"

namespace tern {

void DirectAuLoss::backward(Model& model, Batch& batch, Matrix& losses) {
  backend_.alignment_uniformity(
      batch.triplets(), options_, model.embeddings(Side::kUser), model.embeddings(Side::kItem),
      model.embedding_gradient(Side::kUser), model.embedding_gradient(Side::kItem), losses);
  backward_with_penalty(backend_, l2_, model, batch, losses);
}

}  // namespace tern
