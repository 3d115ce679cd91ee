#include "host/loss/penalty.hpp"

namespace tern {

void backward_with_penalty(Backend& backend, double l2, Model& model, Batch& batch,
                           Matrix& losses) {
  const auto add_penalty = [&] {
    if (l2 == 0.0) return;
    backend.l2_penalty(batch.triplets(), l2, model.penalized(Side::kUser),
                       model.penalized(Side::kItem), model.penalized_gradient(Side::kUser),
                       model.penalized_gradient(Side::kItem), losses);
  };
  if (const Contrast* contrast = model.contrast()) {
    for (const Side side : {Side::kUser, Side::kItem}) {
      const auto s = static_cast<std::size_t>(side);
      backend.info_nce(batch.triplets(), contrast->options, side, model.embeddings(side),
                       *contrast->views[s], model.embedding_gradient(side), *contrast->gradients[s],
                       losses);
    }
  }
  const bool penalizes_final = model.penalty_target() == PenaltyTarget::kFinal;
  if (penalizes_final) add_penalty();
  model.backward();
  // After backward(), which overwrites the gradients that this adds to.
  if (!penalizes_final) add_penalty();
}

}  // namespace tern
