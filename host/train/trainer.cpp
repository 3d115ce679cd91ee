#include "tern/trainer.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <chrono>
#include <cmath>
#include <numeric>
#include <optional>

#include "host/loss/bpr_loss.hpp"
#include "host/train/monitor.hpp"
#include "host/train/parameters.hpp"
#include "host/train/trainer_state.hpp"
#include "tern/error.hpp"

// A training job in order. An epoch is: sample; replay the recorded step for every batch; read the
// losses back once. What a step is made of stands in one place,
// Trainer::State::step() in trainer_state.hpp.

namespace tern {
namespace {

using Clock = std::chrono::steady_clock;

/// Steps between two looks for numbers that are not finite: on a GPU a look waits for the steps
/// asked for, and whoever trains on a NaN loses no more than these.
constexpr std::int64_t kStretch = 1000;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

}  // namespace

void Trainer::State::report_notes(const TrainerCallbacks& callbacks) const {
  if (!callbacks.on_note) return;
  const SamplingCounts counts = backend.sampling_counts(triplets);
  if (counts.users_with_every_item > 0) {
    callbacks.on_note(fmt::format(
        "{} of {} users have every item and are left out of sampling: they have no negative.",
        counts.users_with_every_item, graph.num_users()));
  }
  if (counts.users_without_interactions > 0) {
    callbacks.on_note(
        fmt::format("{} of {} users have no training interactions and are left out of sampling.",
                    counts.users_without_interactions, graph.num_users()));
  }
  const bool on_test = config.select_on == SelectionSplit::kTest;
  if (!selection.possible()) {
    callbacks.on_note(
        fmt::format("There is no {} split: no best epoch is selected, the last one counts.",
                    on_test ? "test" : "validation"));
  } else if (on_test) {
    callbacks.on_note(
        "The best epoch is selected on the test split: its metrics are optimistic, as in papers "
        "that do the same.");
  }
}

/// Whether all steps of the epoch are done; false after a request to stop.
bool Trainer::State::train_epoch(int epoch, const TrainerCallbacks& callbacks) {
  const Clock::time_point begin = Clock::now();
  const double before = progress.seconds;
  const std::int64_t steps = progress.steps;
  if (progress.step == 0) {
    backend.sample(triplets, static_cast<std::uint32_t>(epoch));
    backend.fill(losses, 0.0);  // a state holds all of them, those of steps to come too
  }
  while (progress.step < steps) {
    const bool watched = progress.step + 1 == steps && monitor_due(epoch);
    if (watched) clear_partial_gradients(backend, *model);
    recording->replay();
    ++progress.step;
    if (progress.step == steps || progress.step % kStretch == 0) check_numbers(epoch);
    if (watched) {  // now: embed() may use the memory of gradients
      progress.user_gradient_norm = gradient_norm(backend, *model, Side::kUser);
      progress.item_gradient_norm = gradient_norm(backend, *model, Side::kItem);
    }
    progress.seconds = before + seconds_since(begin);
    if (callbacks.on_step) callbacks.on_step({epoch, progress.step, steps});
    if (callbacks.should_stop && callbacks.should_stop()) return false;
  }
  return true;
}

/// Evaluates and counts an epoch whose steps are done; false after a request to stop.
bool Trainer::State::finish_epoch(EpochRecord& record, const TrainerCallbacks& callbacks) {
  read_losses(record);
  record.seconds = progress.seconds;
  record.triplets_per_second =
      record.seconds > 0.0 ? static_cast<double>(triplets.size()) / record.seconds : 0.0;
  if (monitor_due(record.epoch)) {
    try {
      evaluate_epoch(record, callbacks);
    } catch (const Interrupted&) {
      return false;
    }
  }
  result.epochs = record.epoch;
  progress.epoch = record.epoch;
  progress.step = 0;
  progress.seconds = progress.user_gradient_norm = progress.item_gradient_norm = 0.0;
  progress.selected_epoch = result.best_epoch;
  const int every = config.monitor.every;
  if (scheduled(record.epoch) || (every > 0 && record.epoch % every == 0)) {
    progress.collapse_explained = progress.collapse_explained || !record.collapse.empty();
  }
  if (scheduled(record.epoch)) {
    progress.best_epoch = result.best_epoch;
    progress.best_metric = selection.best();
    progress.since_best = selection.since_best();
  }
  return true;
}

/// Means over the batches of an epoch whose steps are done. Waits for them.
void Trainer::State::read_losses(EpochRecord& record) {
  std::vector<double> values(static_cast<std::size_t>(losses.size()));
  backend.download(losses, values);
  const auto middle = values.begin() + losses.cols();
  const auto steps = static_cast<double>(losses.cols());
  record.bpr_loss = std::accumulate(values.begin(), middle, 0.0) / steps;
  record.l2_loss = std::accumulate(middle, values.end(), 0.0) / steps;
  record.loss = record.bpr_loss + record.l2_loss;
}

/// Looks for the first step of the epoch so far that met or left something not finite. A backend
/// marks a faulty update in the pass that makes it; here the marks and the losses are read back.
/// Waits for the steps.
void Trainer::State::check_numbers(int epoch) {
  std::vector<double> values(static_cast<std::size_t>(losses.size()));
  if (progress.step > 0) backend.download(losses, values);
  const double* bpr = values.data();
  const double* l2 = bpr + losses.cols();
  std::int64_t step = 0;
  while (step < progress.step && std::isfinite(bpr[step]) && std::isfinite(l2[step])) ++step;
  const std::optional<Optimizer::Fault> fault = optimizer.first_fault();
  // Both count the steps before: of one step, the loss comes before the update.
  const std::int64_t faulty =
      fault ? fault->update - 1 - (optimizer.updates() - progress.step) : progress.step;
  if (step < progress.step && step <= faulty) {
    fail(epoch, fmt::format("at step {} of {} the BPR loss is {}, the L2 loss {}", step + 1,
                            losses.cols(), bpr[step], l2[step]));
  }
  if (fault) {
    fail(epoch, fmt::format("at step {} of {} the update of {} was not finite", faulty + 1,
                            losses.cols(), fmt::join(fault->parameters, ", ")));
  }
}

bool Trainer::State::scheduled(int epoch) const {
  return config.evaluate_every > 0 && epoch % config.evaluate_every == 0;
}

bool Trainer::State::evaluation_due(int epoch) const {
  return epoch == config.epochs || scheduled(epoch);
}

bool Trainer::State::monitor_due(int epoch) const {
  return evaluation_due(epoch) || (config.monitor.every > 0 && epoch % config.monitor.every == 0);
}

/// The monitors' look at the final embeddings, which embed() has made.
void Trainer::State::look(EpochRecord& record) {
  record.users = backend.embedding_statistics(model->embeddings(Side::kUser));
  record.items = backend.embedding_statistics(model->embeddings(Side::kItem));
  if (record.users.non_finite > 0 || record.items.non_finite > 0) {
    fail(record.epoch, fmt::format("after its last step {} elements of the final embeddings are "
                                   "not finite",
                                   record.users.non_finite + record.items.non_finite));
  }
  if (config.monitor.on_collapse == CollapseAction::kIgnore) return;
  const std::int64_t width = model->embeddings(Side::kUser).cols();
  record.collapse = find_collapse("users", record.users, width, config.monitor);
  for (std::string& finding : find_collapse("items", record.items, width, config.monitor)) {
    record.collapse.push_back(std::move(finding));
  }
  if (record.collapse.empty() || progress.collapse_explained) return;
  record.collapse.push_back(usual_causes(config, data.train));
}

void Trainer::State::evaluate_epoch(EpochRecord& record, const TrainerCallbacks& callbacks) {
  const Clock::time_point begin = Clock::now();
  record.user_gradient_norm = progress.user_gradient_norm;
  record.item_gradient_norm = progress.item_gradient_norm;
  model->embed();
  look(record);
  if (evaluation_due(record.epoch) && selection.possible()) {
    record.metrics = selection.evaluate(*model, callbacks.should_stop);
    record.best = selection.improves(*record.metrics);
    if (record.best) {
      best = snapshot(backend, *model);
      result.best_epoch = record.epoch;
      result.best_metric = selection.best().value_or(0.0);
    }
  }
  record.evaluation_seconds = seconds_since(begin);
}

void Trainer::State::fail(int epoch, const std::string& finding) {
  std::string tensors;
  const auto inspect = [&](const std::string& name, const Matrix& matrix) {
    const std::int64_t bad = backend.embedding_statistics(matrix).non_finite;
    if (bad == 0) return;
    if (!tensors.empty()) tensors += ", ";
    tensors += fmt::format("{} has {} of {} elements", name, bad, matrix.size());
  };
  for (const Parameter& parameter : model->parameters()) {
    inspect(parameter.name, *parameter.value);
  }
  for (const NamedBuffer& buffer : model->buffers()) inspect(buffer.name, *buffer.value);
  throw NumericalFault(fmt::format(
      "Training diverged in epoch {}: {}; not finite: {}. {} A smaller learning rate may help.",
      epoch, finding, tensors.empty() ? "the loss alone, no parameter" : tensors,
      result.best_epoch > 0
          ? fmt::format("The best parameters, of epoch {}, are kept.", result.best_epoch)
          : "There are no earlier parameters to keep."));
}

Trainer::Trainer(Backend& backend, const Dataset& data, const Config& config)
    : Trainer(backend, data, config, std::make_unique<BprLoss>(backend, config.l2)) {}

Trainer::Trainer(Backend& backend, const Dataset& data, const Config& config,
                 std::unique_ptr<Loss> loss) {
  validate(config);
  state_ = std::make_unique<State>(backend, data, config, std::move(loss));
}

Trainer::~Trainer() = default;

TrainingResult Trainer::run(const TrainerCallbacks& callbacks) {
  State& state = *state_;
  TrainingResult& result = state.result;
  state.start();
  state.report_notes(callbacks);
  result.reason = state.patience_is_over() ? StopReason::kPatience : StopReason::kEpochs;
  while (result.reason == StopReason::kEpochs && result.epochs < state.config.epochs) {
    EpochRecord record;
    record.epoch = result.epochs + 1;
    if (!state.train_epoch(record.epoch, callbacks) || !state.finish_epoch(record, callbacks)) {
      result.reason = StopReason::kRequested;
      break;
    }
    if (callbacks.on_epoch) callbacks.on_epoch(record);
    const bool stops = state.config.monitor.on_collapse == CollapseAction::kStop;
    if (state.patience_is_over()) result.reason = StopReason::kPatience;
    if (stops && !record.collapse.empty()) result.reason = StopReason::kCollapse;
  }
  if (result.best_epoch == 0) {
    state.best = last();
    if (!state.selection.possible()) result.best_epoch = result.epochs;
  }
  return result;
}

TensorFile Trainer::state() {
  return state_->save();
}

void Trainer::restore(const TensorFile& state, std::string_view file) {
  state_->restore(state, file);
}

void Trainer::restart() {
  state_->restart();
}

void Trainer::set_rollbacks(int rollbacks) {
  state_->set_rollbacks(rollbacks);
}

TrainingProgress Trainer::progress() const {
  return state_->progress;
}

std::int64_t Trainer::state_bytes() {
  const std::int64_t width = state_->backend.describe().precision == "f64" ? 8 : 4;
  std::int64_t bytes = 0;
  for (const NamedBuffer& tensor : state_->tensors(1)) bytes += width * tensor.value->size();
  return bytes;
}

Model& Trainer::model() {
  state_->start();
  return *state_->model;
}

const TensorFile& Trainer::best() const {
  return state_->best;
}

TensorFile Trainer::last() {
  state_->start();
  return snapshot(state_->backend, *state_->model);
}

}  // namespace tern
