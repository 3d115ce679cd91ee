#include <fmt/format.h>

#include <cmath>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "host/data/fingerprint.hpp"
#include "host/support/hash.hpp"
#include "host/train/job_checks.hpp"
#include "host/train/parameters.hpp"
#include "host/train/trainer_impl.hpp"
#include "tern/error.hpp"

namespace tern {
namespace {

/// The names of a loss's buffers begin with this.
constexpr std::string_view kLossPrefix = "loss.";

}  // namespace

std::unique_ptr<Model> Trainer::Impl::make_checked_model(const ModelFactory& make_own) {
  if (!own_model) {
    return make_model(backend, graph, triplets, config.model,
                      features_for(data, config.model).view());
  }
  std::unique_ptr<Model> own = make_own(backend, graph, triplets);
  check_own_model(own.get());
  return own;
}

/// The fingerprint of the interactions and of the features that the model reads.
std::uint64_t Trainer::Impl::data_fingerprint() const {
  return job_fingerprint(data, feature_files_for(config.model));
}

void Trainer::Impl::restart() {
  model->initialize(config.seed);
  for (const NamedBuffer& buffer : optimizer.buffers()) backend.fill(*buffer.value, 0.0);
  for (const NamedBuffer& buffer : loss->buffers()) backend.fill(*buffer.value, 0.0);
  optimizer.restore(0, 1.0);
  record_step();
  selection.restore(std::nullopt, 0);
  progress = {};
  progress.steps = triplets.num_batches();
  result = {};
  best = {};
}

void Trainer::Impl::set_rollbacks(int rollbacks) {
  progress.rollbacks = rollbacks;
  optimizer.settle();  // missed updates are those of the old learning rate
  optimizer.restore(optimizer.updates(), std::ldexp(1.0, -rollbacks));
  record_step();
}

/// The tensors of a state that is saved after this step of an epoch.
std::vector<NamedBuffer> Trainer::Impl::tensors(std::int64_t step) {
  std::vector<NamedBuffer> all = contents(*model);
  for (const std::vector<NamedBuffer>& more : {optimizer.buffers(), loss->buffers()}) {
    all.insert(all.end(), more.begin(), more.end());
  }
  if (step > 0) all.push_back({"training.losses", &losses});
  return all;
}

TrainingState Trainer::Impl::save() {
  check_numbers(progress.epoch + 1);
  progress.updates = optimizer.updates();
  TrainingState state;
  state.progress = progress;
  state.data_fingerprint = data_fingerprint();
  for (const NamedCounter& counter : model->counters()) {
    state.counters[counter.name] = backend.get(*counter.value);
  }
  download_tensors(backend, tensors(progress.step), state.tensors);
  return state;
}

void Trainer::Impl::restore(const TrainingState& state, std::string_view file) {
  const TrainingProgress& saved = state.progress;
  if (state.data_fingerprint != 0 && state.data_fingerprint != data_fingerprint()) {
    throw DataError(
        file, 0,
        fmt::format("the state belongs to other data: it has fingerprint {}, the data of "
                    "this trainer {}",
                    hexadecimal(state.data_fingerprint), hexadecimal(data_fingerprint())));
  }
  const std::int64_t steps = triplets.num_batches();
  if (saved.step > 0 && saved.steps != steps) {
    throw DataError(file, 0,
                    fmt::format("saved at step {} of {} of an epoch, but an epoch now has {} steps",
                                saved.step, saved.steps, steps));
  }
  const std::vector<NamedCounter> counters = model->counters();
  for (const NamedCounter& counter : counters) {
    if (state.counters.contains(counter.name)) continue;
    throw DataError(file, 0, fmt::format("the counter {} is missing", counter.name));
  }
  std::vector<NamedBuffer> wanted = tensors(saved.step);
  // Between epochs another loss may go on: it starts from zeros, and what the first one kept is left.
  const auto is_new = [&](const NamedBuffer& buffer) {
    return saved.step == 0 && buffer.name.starts_with(kLossPrefix) &&
           !state.tensors.contains(buffer.name);
  };
  std::erase_if(wanted, is_new);
  upload_tensors(backend, wanted, state.tensors, fmt::format("a state of {}", model->name()), file,
                 saved.step == 0 ? kLossPrefix : "");
  // Nothing below fails.
  for (const NamedBuffer& buffer : loss->buffers()) {
    if (is_new(buffer)) backend.fill(*buffer.value, 0.0);
  }
  for (const NamedCounter& counter : counters) {
    backend.set(*counter.value, state.counters.at(counter.name));
  }
  progress = saved;
  progress.steps = steps;
  progress.selected_epoch = saved.best_epoch;
  optimizer.restore(saved.updates, std::ldexp(1.0, -saved.rollbacks));
  record_step();
  selection.restore(saved.best_metric, saved.since_best);
  result = {.epochs = saved.epoch,
            .best_epoch = saved.best_epoch,
            .best_metric = saved.best_metric.value_or(0.0)};
  best = {};
  if (saved.step == 0 || saved.step == saved.steps) return;
  backend.sample(triplets, static_cast<std::uint32_t>(saved.epoch + 1));
  for (std::int64_t step = 0; step < saved.step; ++step) backend.next_batch(triplets);
}

}  // namespace tern
