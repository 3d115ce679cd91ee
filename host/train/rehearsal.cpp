#include <map>
#include <string>

#include "host/train/parameters.hpp"
#include "host/train/trainer_impl.hpp"
#include "tern/error.hpp"

namespace tern {
namespace {

/// Stops `work` before its second block of users.
template <typename Work>
void do_one_block(const Work& work) {
  int blocks = 0;
  try {
    work([&] { return ++blocks > 1; });
  } catch (const Interrupted&) {
  }
}

}  // namespace

void Trainer::rehearse() {
  Impl& impl = *impl_;
  do_one_block([&](const auto& should_stop) {
    const int measuring = 1 + impl.config.loss.at_k.refresh_every;  // sl@k measures before it
    impl.loss->begin_epoch(*impl.model, measuring, should_stop);
  });
  impl.backend.sample(impl.triplets, 1);
  impl.recording->replay();
  impl.model->embed();
  for (const Side side : {Side::kUser, Side::kItem}) {
    impl.backend.embedding_statistics(impl.model->embeddings(side));
  }
  if (impl.selection.possible()) {
    do_one_block(
        [&](const auto& should_stop) { impl.selection.evaluate(*impl.model, should_stop); });
  }
  {
    // A checkpoint is copied to the host while the best parameters are there.
    const TensorFile best = snapshot(impl.backend, *impl.model);
    std::map<std::string, Tensor> checkpoint;
    download_tensors(impl.backend, impl.tensors(1), checkpoint);
  }
  restart();
}

}  // namespace tern
