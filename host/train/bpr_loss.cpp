#include "host/train/bpr_loss.hpp"

namespace tern {

void BprLoss::backward(Model& model, Triplets& triplets, Matrix& losses) const {
  backend_.bpr(triplets, model.embeddings(Side::kUser), model.embeddings(Side::kItem),
               model.embedding_gradient(Side::kUser), model.embedding_gradient(Side::kItem),
               losses);
  model.backward();
  // After backward(), which overwrites the gradients that this adds to.
  if (l2_ != 0.0) {
    backend_.l2_penalty(triplets, l2_, model.layer0(Side::kUser), model.layer0(Side::kItem),
                        model.layer0_gradient(Side::kUser), model.layer0_gradient(Side::kItem),
                        losses);
  }
}

}  // namespace tern
