#include "host/loss/directau_loss.hpp"

#include "host/loss/penalty.hpp"

namespace tern {

void DirectAuLoss::backward(Model& model, Triplets& triplets, Matrix& losses) {
  backend_.alignment_uniformity(
      triplets, options_, model.embeddings(Side::kUser), model.embeddings(Side::kItem),
      model.embedding_gradient(Side::kUser), model.embedding_gradient(Side::kItem), losses);
  backward_with_penalty(backend_, l2_, model, triplets, losses);
}

}  // namespace tern
