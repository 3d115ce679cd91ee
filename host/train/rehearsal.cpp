#include "host/train/parameters.hpp"
#include "host/train/trainer_state.hpp"
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
  State& state = *state_;
  state.backend.sample(state.triplets, 1);
  state.recording->replay();
  state.model->embed();
  for (const Side side : {Side::kUser, Side::kItem})
    state.backend.embedding_statistics(state.model->embeddings(side));
  if (state.selection.possible()) rank_one_block(state.selection, *state.model);
  {
    // A checkpoint is copied to the host while the best parameters are there.
    const TensorFile best = snapshot(state.backend, *state.model);
    TensorFile checkpoint;
    download_tensors(state.backend, state.tensors(1), checkpoint);
  }
  restart();
}

}  // namespace tern
