#include "tern/trainer.hpp"

#include <fmt/format.h>

#include <chrono>
#include <cmath>

#include "host/train/bpr_loss.hpp"
#include "host/train/monitor.hpp"
#include "host/train/optimizer.hpp"
#include "host/train/parameters.hpp"
#include "host/train/selection.hpp"
#include "tern/error.hpp"

// A training job in order. An epoch is: sample; replay the recorded step for every batch; read the
// losses back once. What a step is made of stands in one place, Trainer::State::step().

namespace tern {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

SamplingOptions sampling_of(const Config& config) {
  SamplingOptions sampling = config.sampling;
  sampling.seed = config.seed;
  return sampling;
}

void check(const Config& config) {
  const auto require = [](bool holds, const char* key, auto value, const char* expected) {
    if (!holds) throw ConfigError(fmt::format("{} is {}, expected {}", key, value, expected));
  };
  require(config.epochs >= 0, "train.epochs", config.epochs, "at least 0");
  require(config.batch_size >= 1, "train.batch_size", config.batch_size, "at least 1");
  require(config.evaluate_every >= 0, "train.evaluate_every", config.evaluate_every, "at least 0");
  require(config.patience >= 0, "train.patience", config.patience, "at least 0");
  require(std::isfinite(config.l2) && config.l2 >= 0.0, "train.l2", config.l2,
          "a finite number >= 0");
}

}  // namespace

struct Trainer::State {
  State(Backend& backend_in, const Dataset& data_in, const Config& config_in,
        std::unique_ptr<Loss> loss_in)
      : backend(backend_in),
        data(data_in),
        config(config_in),
        graph(backend.make_graph(data.train)),
        selection(backend, data, graph, config),
        triplets(backend.make_triplets(graph, sampling_of(config), config.batch_size)),
        model(make_model(backend, graph, triplets, config.model,
                         features_for(data, config.model).view())),
        loss(std::move(loss_in)),
        optimizer(backend, model->parameters(), config.optimizer),
        losses(backend.allocate(Loss::kTerms, triplets.num_batches())),
        recording(backend.record([this] { step(); })) {
    model->initialize(config.seed);
  }

  void step() {
    model->forward();
    loss->backward(*model, triplets, losses);
    optimizer.step();
    backend.next_batch(triplets);
  }

  void report_notes(const TrainerCallbacks& callbacks) const;
  bool train_epoch(EpochRecord& record, const TrainerCallbacks& callbacks);
  void read_losses(EpochRecord& record, std::int64_t steps);
  bool evaluation_due(int epoch) const;
  bool monitor_due(int epoch) const;
  void look(EpochRecord& record);
  void evaluate_epoch(EpochRecord& record);
  [[noreturn]] void fail(int epoch, const std::string& finding);

  Backend& backend;
  const Dataset& data;
  Config config;
  Graph graph;
  Selection selection;
  Triplets triplets;
  std::unique_ptr<Model> model;
  std::unique_ptr<Loss> loss;
  Optimizer optimizer;
  Matrix losses;  // (terms, batches) of the epoch
  std::unique_ptr<Recording> recording;
  TensorFile best;
  TrainingResult result;
  bool collapsed = false;  // what usually causes it has been said
};

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

/// Whether the epoch was finished; false after a request to stop.
bool Trainer::State::train_epoch(EpochRecord& record, const TrainerCallbacks& callbacks) {
  const Clock::time_point begin = Clock::now();
  const std::int64_t steps = triplets.num_batches();
  backend.sample(triplets, static_cast<std::uint32_t>(record.epoch));
  for (std::int64_t done = 1; done <= steps; ++done) {
    if (done == steps && monitor_due(record.epoch)) clear_partial_gradients(backend, *model);
    recording->replay();
    if (callbacks.on_step) callbacks.on_step({record.epoch, done, steps});
    if (callbacks.should_stop && callbacks.should_stop()) {
      read_losses(record, done);
      if (done < steps) return false;
      result.reason = StopReason::kRequested;
    }
  }
  read_losses(record, steps);
  record.seconds = seconds_since(begin);
  record.triplets_per_second =
      record.seconds > 0.0 ? static_cast<double>(triplets.size()) / record.seconds : 0.0;
  return true;
}

/// Means over the first `steps` batches. Waits for them.
void Trainer::State::read_losses(EpochRecord& record, std::int64_t steps) {
  std::vector<double> values(static_cast<std::size_t>(losses.size()));
  backend.download(losses, values);
  const double* bpr = values.data();
  const double* l2 = bpr + losses.cols();
  double bpr_sum = 0.0;
  double l2_sum = 0.0;
  for (std::int64_t step = 0; step < steps; ++step) {
    if (!std::isfinite(bpr[step]) || !std::isfinite(l2[step])) {
      fail(record.epoch, fmt::format("at step {} of {} the BPR loss is {}, the L2 loss {}",
                                     step + 1, losses.cols(), bpr[step], l2[step]));
    }
    bpr_sum += bpr[step];
    l2_sum += l2[step];
  }
  record.bpr_loss = bpr_sum / static_cast<double>(steps);
  record.l2_loss = l2_sum / static_cast<double>(steps);
  record.loss = record.bpr_loss + record.l2_loss;
}

bool Trainer::State::evaluation_due(int epoch) const {
  if (epoch == config.epochs) return true;
  return config.evaluate_every > 0 && epoch % config.evaluate_every == 0;
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
  if (record.collapse.empty() || collapsed) return;
  collapsed = true;
  record.collapse.push_back(usual_causes(config, data.train));
}

void Trainer::State::evaluate_epoch(EpochRecord& record) {
  const Clock::time_point begin = Clock::now();
  // First: embed() may use the memory of gradients.
  record.user_gradient_norm = gradient_norm(backend, *model, Side::kUser);
  record.item_gradient_norm = gradient_norm(backend, *model, Side::kItem);
  model->embed();
  look(record);
  if (evaluation_due(record.epoch) && selection.possible()) {
    record.metrics = selection.evaluate(*model);
    record.best = selection.improves(*record.metrics);
    if (record.best) {
      best = snapshot(backend, *model);
      result.best_epoch = record.epoch;
      result.best_metric = selection.best();
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
  throw Error(fmt::format(
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
  check(config);
  state_ = std::make_unique<State>(backend, data, config, std::move(loss));
}

Trainer::~Trainer() = default;

TrainingResult Trainer::run(const TrainerCallbacks& callbacks) {
  State& state = *state_;
  TrainingResult& result = state.result;
  const int patience = state.config.patience;
  state.report_notes(callbacks);
  result.reason = StopReason::kEpochs;
  while (result.reason == StopReason::kEpochs && result.epochs < state.config.epochs) {
    EpochRecord record;
    record.epoch = result.epochs + 1;
    if (!state.train_epoch(record, callbacks)) {
      result.reason = StopReason::kRequested;
      break;
    }
    result.epochs = record.epoch;
    if (state.monitor_due(record.epoch)) state.evaluate_epoch(record);
    if (callbacks.on_epoch) callbacks.on_epoch(record);
    const bool stops = state.config.monitor.on_collapse == CollapseAction::kStop;
    if (stops && !record.collapse.empty() && result.reason == StopReason::kEpochs) {
      result.reason = StopReason::kCollapse;
    }
    if (result.reason == StopReason::kEpochs && patience > 0 &&
        state.selection.since_best() >= patience) {
      result.reason = StopReason::kPatience;
    }
  }
  if (result.best_epoch == 0) {
    state.best = last();
    if (!state.selection.possible()) result.best_epoch = result.epochs;
  }
  return result;
}

Model& Trainer::model() {
  return *state_->model;
}

const TensorFile& Trainer::best() const {
  return state_->best;
}

TensorFile Trainer::last() {
  return snapshot(state_->backend, *state_->model);
}

}  // namespace tern
