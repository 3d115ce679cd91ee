#include <map>
#include <string>

#include "host/train/parameters.hpp"
#include "host/train/trainer_impl.hpp"
#include "tern/error.hpp"

namespace tern {
namespace {

/// Ranks the first block of users as an evaluation does.
void rank_one_block(const Selection& selection, const Model& model) {
  int blocks = 0;
  try {
    selection.evaluate(model, [&] { return ++blocks > 1; });
  } catch (const Interrupted&) {
  }
}

}  // namespace

void Trainer::rehearse() {
  Impl& impl = *impl_;
  impl.loss->begin_epoch(*impl.model, 1 + impl.config.loss.at_k.refresh_every);  // measures
  impl.backend.sample(impl.triplets, 1);
  impl.recording->replay();
  impl.model->embed();
  for (const Side side : {Side::kUser, Side::kItem}) {
    impl.backend.embedding_statistics(impl.model->embeddings(side));
  }
  if (impl.selection.possible()) rank_one_block(impl.selection, *impl.model);
  {
    // A checkpoint is copied to the host while the best parameters are there.
    const TensorFile best = snapshot(impl.backend, *impl.model);
    std::map<std::string, Tensor> checkpoint;
    download_tensors(impl.backend, impl.tensors(1), checkpoint);
  }
  restart();
}

}  // namespace tern
