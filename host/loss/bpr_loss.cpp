#include "host/loss/bpr_loss.hpp"

namespace tern {

void BprLoss::backward(Model& model, Triplets& triplets, Matrix& losses) {
  backend_.bpr(triplets, model.embeddings(Side::kUser), model.embeddings(Side::kItem),
               model.embedding_gradient(Side::kUser), model.embedding_gradient(Side::kItem),
               losses);
  const bool penalizes_final = model.penalty_target() == PenaltyTarget::kFinal;
  if (penalizes_final) add_penalty(model, triplets, losses);
  model.backward();
  // After backward(), which overwrites the gradients that this adds to.
  if (!penalizes_final) add_penalty(model, triplets, losses);
}

void BprLoss::add_penalty(Model& model, Triplets& triplets, Matrix& losses) const {
  if (l2_ == 0.0) return;
  backend_.l2_penalty(triplets, l2_, model.penalized(Side::kUser), model.penalized(Side::kItem),
                      model.penalized_gradient(Side::kUser), model.penalized_gradient(Side::kItem),
                      losses);
}

}  // namespace tern
