#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "host/train/optimizer.hpp"
#include "host/train/sampling.hpp"
#include "host/train/selection.hpp"
#include "tern/trainer.hpp"

namespace tern {

/// A step that is called anew each time, for a loss that must not be recorded.
class CalledStep final : public Recording {
 public:
  explicit CalledStep(std::function<void()> step) : step_(std::move(step)) {}
  void replay() override { step_(); }

 private:
  std::function<void()> step_;
};

/// The members of a trainer. trainer.cpp has its steps and epochs, trainer_state.cpp saves and
/// restores its state.
struct Trainer::Impl {
  /// make_own: empty for the configured model.
  Impl(Backend& backend_in, const Dataset& data_in, const Config& config_in,
       const ModelFactory& make_own, std::unique_ptr<Loss> loss_in)
      : backend(backend_in),
        data(data_in),
        config(config_in),
        graph(backend.make_graph(data.train)),
        selection(backend, data, graph, config),
        triplets(backend.make_triplets(graph, sampling_of(config), batch_triplets(config))),
        batch(backend, triplets),
        own_model(static_cast<bool>(make_own)),
        model(make_checked_model(make_own)),
        loss(std::move(loss_in)),
        optimizer(backend, model->parameters(), config.optimizer),
        losses(backend.allocate(loss_terms(*model), triplets.num_batches(), {.replicated = true})) {
    progress.steps = triplets.num_batches();
    model->initialize(config.seed);
    loss->prepare(*model);
    record_step();
  }

  std::unique_ptr<Model> make_checked_model(const ModelFactory& make_own);
  void record_step() {
    if (loss->is_recorded()) {
      recording = backend.record([this] { step(); });
    } else {
      recording = std::make_unique<CalledStep>([this] { step(); });
    }
  }
  void step() {
    optimizer.catch_up();
    model->forward();
    loss->backward(*model, batch, losses);
    optimizer.step();
    backend.next_batch(triplets);
  }

  void restart();
  std::uint64_t data_fingerprint() const;
  TrainingState save();
  void restore(const TrainingState& state, std::string_view file);
  std::vector<NamedBuffer> tensors(std::int64_t step);
  void set_rollbacks(int rollbacks);

  void measure_start();
  void report_notes(const TrainerCallbacks& callbacks) const;
  bool begin_epoch(int epoch, const TrainerCallbacks& callbacks);
  bool train_epoch(int epoch, const TrainerCallbacks& callbacks);
  bool finish_epoch(EpochRecord& record, const TrainerCallbacks& callbacks);
  void read_losses(EpochRecord& record);
  double check_numbers(int epoch);
  bool scheduled(int epoch) const;
  bool evaluation_due(int epoch) const;
  bool monitors_scheduled(int epoch) const;
  bool monitors_due(int epoch) const;
  void monitor(EpochRecord& record);
  void find_collapses(EpochRecord& record);
  void evaluate_epoch(EpochRecord& record, const TrainerCallbacks& callbacks);
  bool collapse_stops() const {
    return config.monitor.on_collapse == CollapseAction::kStop && progress.collapsed;
  }
  bool patience_is_over() const {
    return config.patience > 0 && selection.since_best() >= config.patience;
  }
  [[noreturn]] void fail(int epoch, const std::string& finding);

  Backend& backend;
  const Dataset& data;
  Config config;
  Graph graph;
  Selection selection;
  Triplets triplets;
  Batch batch;  // the current one of the triplets
  bool own_model;
  std::unique_ptr<Model> model;
  std::unique_ptr<Loss> loss;
  Optimizer optimizer;
  Matrix losses;  // (terms, batches) of the epoch
  std::unique_ptr<Recording> recording;
  /// Its best epoch and metric are by the evaluations on the schedule, those of `result` by all.
  TrainingProgress progress;
  /// The monitors' findings in the epoch under way, for `progress` once it is finished.
  CollapseWatch user_watch;
  CollapseWatch item_watch;
  bool collapsed = false;
  TensorFile best;
  TrainingResult result;
};

}  // namespace tern
