#include "tern/trainer.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

#include "host/support/clock.hpp"
#include "host/train/job_checks.hpp"
#include "host/train/monitor.hpp"
#include "host/train/parameters.hpp"
#include "host/train/trainer_impl.hpp"
#include "tern/error.hpp"

// A training job in order. An epoch samples, replays the recorded step for every batch, and reads
// the losses back once. The step itself is Trainer::Impl::step() in trainer_impl.hpp.

namespace tern {
namespace {

/// Steps between two checks for numbers that are not finite. On a GPU a check waits for all
/// submitted steps; a training that has become NaN wastes at most this number of steps.
constexpr std::int64_t kStepsBetweenChecks = 1000;

/// Advice after a divergence. With lightgcn++, powers of the degrees may overflow by themselves.
std::string remedy(const PropagationOptions& propagation) {
  if (propagation.kind == PropagationKind::kLightGcn) return "a smaller learning rate";
  return fmt::format(
      "a smaller learning rate, or exponents nearer to 0 (propagation.alpha is {:g}, "
      "propagation.beta {:g})",
      propagation.alpha, propagation.beta);
}

}  // namespace

/// Measures the rank of the embeddings before the first step, with which later ones are compared.
void Trainer::Impl::measure_start() {
  if (optimizer.updates() > 0 || result.epochs >= config.epochs) return;
  model->embed();
  const auto rank_of = [&](Side side) -> std::optional<double> {
    const EmbeddingStatistics found = backend.embedding_statistics(model->embeddings(side));
    if (found.non_finite > 0 || found.rows < 2) return std::nullopt;
    return found.effective_rank;
  };
  progress.user_watch.first_rank = rank_of(Side::kUser);
  progress.item_watch.first_rank = rank_of(Side::kItem);
}

void Trainer::Impl::report_notes(const TrainerCallbacks& callbacks) const {
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

/// False after a request to stop: the next call begins again.
bool Trainer::Impl::begin_epoch(int epoch, const TrainerCallbacks& callbacks) {
  try {
    loss->begin_epoch(*model, epoch, callbacks.should_stop);
  } catch (const Interrupted&) {
    return false;
  }
  backend.sample(triplets, static_cast<std::uint32_t>(epoch));
  backend.fill(losses, 0.0);  // a state holds all of them, also those of later steps
  return true;
}

/// Trains the remaining steps of the epoch. False after a request to stop.
bool Trainer::Impl::train_epoch(int epoch, const TrainerCallbacks& callbacks) {
  const Clock::time_point begin = Clock::now();
  const double before = progress.seconds;
  const std::int64_t steps = progress.steps;
  std::optional<double> loss;
  if (progress.step == 0 && !begin_epoch(epoch, callbacks)) return false;
  while (progress.step < steps) {
    const bool watched = progress.step + 1 == steps && monitors_due(epoch);
    if (watched) clear_partial_gradients(backend, *model);
    recording->replay();
    ++progress.step;
    if (progress.step == steps || progress.step % kStepsBetweenChecks == 0) {
      loss = check_numbers(epoch);
    }
    if (watched) {  // not later: embed() may overwrite the gradients
      progress.user_gradient_norm = gradient_norm(backend, *model, Side::kUser);
      progress.item_gradient_norm = gradient_norm(backend, *model, Side::kItem);
    }
    progress.seconds = before + seconds_since(begin);
    if (callbacks.on_step) callbacks.on_step({epoch, progress.step, steps, triplets.size(), loss});
    if (callbacks.should_stop && callbacks.should_stop()) return false;
  }
  return true;
}

/// Evaluates and counts an epoch whose steps are finished. False after a request to stop.
bool Trainer::Impl::finish_epoch(EpochRecord& record, const TrainerCallbacks& callbacks) {
  read_losses(record);
  record.seconds = progress.seconds;
  record.triplets_per_second =
      record.seconds > 0.0 ? static_cast<double>(triplets.size()) / record.seconds : 0.0;
  if (monitors_due(record.epoch)) {
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
  if (monitors_scheduled(record.epoch)) {
    progress.user_watch = user_watch;
    progress.item_watch = item_watch;
    progress.collapsed = collapsed;
    progress.collapse_explained = progress.collapse_explained || !record.collapse.empty();
  }
  if (scheduled(record.epoch)) {
    progress.best_epoch = result.best_epoch;
    progress.best_metric = selection.best();
    progress.since_best = selection.since_best();
  }
  return true;
}

/// Sets the mean losses over the batches of a finished epoch. Waits for its steps.
void Trainer::Impl::read_losses(EpochRecord& record) {
  std::vector<double> values(static_cast<std::size_t>(losses.size()));
  backend.download(losses, values);
  const auto steps = static_cast<double>(losses.cols());
  const auto mean = [&](std::int64_t first_row, std::int64_t end_row) {
    return std::accumulate(values.begin() + first_row * losses.cols(),
                           values.begin() + end_row * losses.cols(), 0.0) /
           steps;
  };
  record.loss_name = loss->name();
  record.ranking_loss = mean(0, 1);
  record.l2_loss = mean(1, 2);
  record.loss = record.ranking_loss + record.l2_loss;
  if (losses.rows() == Loss::kTerms) return;
  record.contrast_loss = mean(2, losses.rows());
  record.loss += *record.contrast_loss;
}

/// Fails on the first step of the epoch whose loss or update is not finite. A backend marks a
/// faulty update in the pass that makes it; this settles the optimiser, so that all updates are made,
/// and reads the marks and the losses back. Waits for the steps. Returns their mean loss.
double Trainer::Impl::check_numbers(int epoch) {
  optimizer.settle();
  std::vector<double> values(static_cast<std::size_t>(losses.size()));
  if (progress.step > 0) backend.download(losses, values);
  const auto row = [&](std::int64_t term) { return values.data() + term * losses.cols(); };
  const auto is_finite = [&](std::int64_t step) {
    for (std::int64_t term = 0; term < losses.rows(); ++term) {
      if (!std::isfinite(row(term)[step])) return false;
    }
    return true;
  };
  std::int64_t step = 0;
  while (step < progress.step && is_finite(step)) ++step;
  const std::optional<Optimizer::Fault> fault = optimizer.first_fault();
  // The number of steps before the faulty one. Within a step, the loss comes before the update.
  const std::int64_t faulty =
      fault ? fault->update - 1 - (optimizer.updates() - progress.step) : progress.step;
  if (step < progress.step && step <= faulty) {
    const std::string contrast =
        losses.rows() == Loss::kTerms
            ? ""
            : fmt::format(", the contrast loss {}", row(2)[step] + row(3)[step]);
    fail(epoch, fmt::format("at step {} of {} the {} loss is {}, the L2 loss {}{}", step + 1,
                            losses.cols(), loss->name(), row(0)[step], row(1)[step], contrast));
  }
  if (fault) {
    fail(epoch, fmt::format("at step {} of {} the update of {} was not finite", faulty + 1,
                            losses.cols(), fmt::join(fault->parameters, ", ")));
  }
  double sum = 0.0;
  for (std::int64_t term = 0; term < losses.rows(); ++term) {
    sum += std::accumulate(row(term), row(term) + progress.step, 0.0);
  }
  return sum / static_cast<double>(std::max<std::int64_t>(progress.step, 1));
}

bool Trainer::Impl::scheduled(int epoch) const {
  return config.evaluate_every > 0 && epoch % config.evaluate_every == 0;
}

bool Trainer::Impl::evaluation_due(int epoch) const {
  return epoch == config.epochs || scheduled(epoch);
}

/// Unlike evaluation_due(), this does not depend on the number of epochs: a longer run checks the
/// same ones.
bool Trainer::Impl::monitors_scheduled(int epoch) const {
  const int every = config.monitor.every;
  return scheduled(epoch) || (every > 0 && epoch % every == 0);
}

bool Trainer::Impl::monitors_due(int epoch) const {
  return evaluation_due(epoch) || monitors_scheduled(epoch);
}

/// Checks the final embeddings, which embed() has computed.
void Trainer::Impl::monitor(EpochRecord& record) {
  record.users = backend.embedding_statistics(model->embeddings(Side::kUser));
  record.items = backend.embedding_statistics(model->embeddings(Side::kItem));
  if (record.users.non_finite > 0 || record.items.non_finite > 0) {
    fail(record.epoch, fmt::format("after its last step {} elements of the final embeddings are "
                                   "not finite",
                                   record.users.non_finite + record.items.non_finite));
  }
  find_collapses(record);
}

void Trainer::Impl::find_collapses(EpochRecord& record) {
  const std::int64_t width = model->embeddings(Side::kUser).cols();
  user_watch = progress.user_watch;
  item_watch = progress.item_watch;
  std::vector<std::string> found =
      find_collapse("users", record.users, width, config.monitor, user_watch);
  for (std::string& sign :
       find_collapse("items", record.items, width, config.monitor, item_watch)) {
    found.push_back(std::move(sign));
  }
  collapsed = !found.empty();
  if (found.empty() || config.monitor.on_collapse == CollapseAction::kIgnore) return;
  if (!progress.collapse_explained) found.push_back(usual_causes(config, data.train));
  record.collapse = std::move(found);
}

void Trainer::Impl::evaluate_epoch(EpochRecord& record, const TrainerCallbacks& callbacks) {
  const Clock::time_point begin = Clock::now();
  record.user_gradient_norm = progress.user_gradient_norm;
  record.item_gradient_norm = progress.item_gradient_norm;
  model->embed();
  monitor(record);
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

void Trainer::Impl::fail(int epoch, const std::string& finding) {
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
  for (const NamedBuffer& buffer : loss->buffers()) inspect(buffer.name, *buffer.value);
  throw NumericalFault(
      fmt::format("training diverged in epoch {}: {}; not finite: {}; {}; {} may help", epoch,
                  finding, tensors.empty() ? "only the loss" : tensors,
                  result.best_epoch > 0
                      ? fmt::format("the best parameters, of epoch {}, are kept", result.best_epoch)
                      : "there are no earlier parameters to keep",
                  remedy(config.model.propagation)));
}

Trainer::Trainer(Backend& backend, const Dataset& data, const Config& config)
    : Trainer(backend, data, config,
              make_loss(backend, config.loss, config.l2, data.train.num_users())) {}

Trainer::Trainer(Backend& backend, const Dataset& data, const Config& config,
                 std::unique_ptr<Loss> loss) {
  validate(config);
  check_job(data, loss.get());
  impl_ = std::make_unique<Impl>(backend, data, config, ModelFactory{}, std::move(loss));
}

Trainer::Trainer(Backend& backend, const Dataset& data, const Config& config,
                 const ModelFactory& model, std::unique_ptr<Loss> loss) {
  validate(config);
  check_job(data, loss.get());
  if (!model) throw ConfigError("the trainer got an empty function for its model, expected one");
  impl_ = std::make_unique<Impl>(backend, data, config, model, std::move(loss));
}

Trainer::~Trainer() = default;

TrainingResult Trainer::run(const TrainerCallbacks& callbacks) {
  Impl& job = *impl_;
  TrainingResult& result = job.result;
  job.report_notes(callbacks);
  job.measure_start();
  result.reason = job.patience_is_over() ? StopReason::kPatience : StopReason::kEpochs;
  if (job.collapse_stops()) result.reason = StopReason::kCollapse;
  while (result.reason == StopReason::kEpochs && result.epochs < job.config.epochs) {
    EpochRecord record;
    record.epoch = result.epochs + 1;
    if (!job.train_epoch(record.epoch, callbacks) || !job.finish_epoch(record, callbacks)) {
      result.reason = StopReason::kRequested;
      break;
    }
    if (callbacks.on_epoch) callbacks.on_epoch(record);
    const bool stops = job.config.monitor.on_collapse == CollapseAction::kStop;
    if (job.patience_is_over()) result.reason = StopReason::kPatience;
    if (stops && !record.collapse.empty()) result.reason = StopReason::kCollapse;
  }
  if (result.best_epoch == 0) {
    job.best = last();
    if (!job.selection.possible()) result.best_epoch = result.epochs;
  }
  return result;
}

TrainingState Trainer::state() {
  return impl_->save();
}

void Trainer::restore(const TrainingState& state, std::string_view file) {
  impl_->restore(state, file);
}

void Trainer::restart() {
  impl_->restart();
}

void Trainer::set_rollbacks(int rollbacks) {
  impl_->set_rollbacks(rollbacks);
}

TrainingProgress Trainer::progress() const {
  return impl_->progress;
}

std::int64_t Trainer::state_bytes() {
  const std::int64_t width = impl_->backend.describe().precision == "f64" ? 8 : 4;
  std::int64_t bytes = 0;
  for (const NamedBuffer& tensor : impl_->tensors(1)) bytes += width * tensor.value->size();
  return bytes;
}

Model& Trainer::model() {
  impl_->optimizer.settle();
  return *impl_->model;
}

const TensorFile& Trainer::best() const {
  return impl_->best;
}

Backend& Trainer::backend() const {
  return impl_->backend;
}

const Dataset& Trainer::data() const {
  return impl_->data;
}

const Config& Trainer::config() const {
  return impl_->config;
}

TensorFile Trainer::last() {
  impl_->optimizer.settle();
  return snapshot(impl_->backend, *impl_->model);
}

}  // namespace tern
