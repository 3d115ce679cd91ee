#include "host/train/trainer_state.hpp"

#include <fmt/format.h>

#include <cmath>
#include <cstdint>
#include <optional>

#include "host/run/training_progress.hpp"
#include "host/train/parameters.hpp"
#include "tern/error.hpp"

namespace tern {

/// The first parameters, unless there are some already. Not drawn before they are needed: who only
/// counts memory needs none.
void Trainer::State::start() {
  if (!started) model->initialize(config.seed);
  started = true;
}

void Trainer::State::restart() {
  model->initialize(config.seed);
  started = true;
  for (const NamedBuffer& buffer : optimizer.buffers()) backend.fill(*buffer.value, 0.0);
  optimizer.restore(0, 1.0);
  record_step();
  selection.restore(std::nullopt, 0);
  const std::int64_t steps = progress.steps;
  progress = {};
  progress.steps = steps;
  result = {};
  best = {};
}

void Trainer::State::set_rollbacks(int rollbacks) {
  progress.rollbacks = rollbacks;
  optimizer.restore(optimizer.updates(), std::ldexp(1.0, -rollbacks));
  record_step();
}

/// What a state taken after this step of an epoch consists of.
std::vector<NamedBuffer> Trainer::State::tensors(std::int64_t step) {
  std::vector<NamedBuffer> all = contents(*model);
  const std::vector<NamedBuffer> more = optimizer.buffers();
  all.insert(all.end(), more.begin(), more.end());
  if (step > 0) all.push_back({"training.losses", &losses});
  return all;
}

TensorFile Trainer::State::save() {
  start();
  check_numbers(progress.epoch + 1);
  TensorFile file;
  download_tensors(backend, tensors(progress.step), file);
  progress.updates = optimizer.updates();
  write_progress(progress, file.metadata);
  for (const NamedCounter& counter : model->counters()) {
    file.metadata["counter." + counter.name] = std::to_string(backend.get(*counter.value));
  }
  return file;
}

void Trainer::State::restore(const TensorFile& state, std::string_view file) {
  const TrainingProgress saved = read_progress(state.metadata, file);
  if (saved.step > 0 && saved.steps != progress.steps) {
    throw DataError(file, 0,
                    fmt::format("it was saved at step {} of {} of an epoch, which now has {} steps",
                                saved.step, saved.steps, progress.steps));
  }
  std::vector<std::int64_t> counts;
  for (const NamedCounter& counter : model->counters()) {
    counts.push_back(read_count(state.metadata, "counter." + counter.name, file));
  }
  start();  // a model has more of the seed than its parameters: what dropout draws from
  upload_tensors(backend, tensors(saved.step), state, fmt::format("a state of {}", model->name()),
                 file);
  // Nothing below fails.
  for (std::size_t i = 0; i < counts.size(); ++i) {
    backend.set(*model->counters()[i].value, counts[i]);
  }
  const std::int64_t steps = progress.steps;
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
