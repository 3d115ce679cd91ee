#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tern/backend.hpp"
#include "tern/config.hpp"
#include "tern/dataset.hpp"
#include "tern/evaluation.hpp"
#include "tern/loss.hpp"
#include "tern/model.hpp"
#include "tern/tensor_file.hpp"

namespace tern {

/// The results of one epoch: a line of metrics.jsonl.
struct EpochRecord {
  int epoch = 0;                  // from 1
  double loss = 0.0;              // mean over batches of the ranking loss + L2 + contrast
  std::string loss_name = "bpr";  // empty: fitted without training, epoch is 0
  double ranking_loss = 0.0;      // of Loss::name()
  double l2_loss = 0.0;
  std::optional<double> contrast_loss;  // of both sides, if the model has a contrast
  double seconds = 0.0;                 // of training, without evaluation
  double evaluation_seconds = 0.0;      // final embeddings, monitors, metrics
  double triplets_per_second = 0.0;
  std::optional<Metrics> metrics;  // of the selection split, if this epoch was evaluated
  bool best = false;               // the best so far by the chosen metric
  EmbeddingStatistics users;       // of the final embeddings, if the monitors checked them
  EmbeddingStatistics items;
  /// √Σ‖g‖² over the parameters of a side in the epoch's last step, if the monitors checked it.
  double user_gradient_norm = 0.0;
  double item_gradient_norm = 0.0;
  /// A sentence for each sign of a collapse. The first epoch that has one adds the usual causes.
  std::vector<std::string> collapse;
};

/// The collapse monitor's memory of the embeddings of one side.
struct CollapseWatch {
  std::optional<double> first_rank;  // before the first step; else at the first check
  std::optional<double> first_norm;  // mean norm at the first check
  std::optional<double> last_norm;   // mean norm at the last check
  int growing_norms = 0;             // checks in a row with growing norms and a large cosine
  int small_ranks = 0;               // checks in a row with a small effective rank

  friend bool operator==(const CollapseWatch&, const CollapseWatch&) = default;
};

/// How far training has come.
struct TrainingProgress {
  int epoch = 0;             // finished epochs, their evaluation included
  std::int64_t step = 0;     // finished steps of the next epoch; all: its evaluation is due
  std::int64_t steps = 0;    // steps of an epoch
  std::int64_t updates = 0;  // parameter updates since the start
  int best_epoch = 0;  // by the evaluations on the schedule, which a longer run repeats; 0: none
  int selected_epoch = 0;  // by all evaluations; 0: none
  std::optional<double> best_metric;
  int since_best = 0;  // evaluations since the best one
  CollapseWatch user_watch;
  CollapseWatch item_watch;
  bool collapsed = false;  // at the last check on the schedule
  bool collapse_explained = false;
  int rollbacks = 0;                // each has halved the learning rate
  double seconds = 0.0;             // of training in the epoch under way
  double user_gradient_norm = 0.0;  // of the last step, if the epoch is still to be evaluated
  double item_gradient_norm = 0.0;

  friend bool operator==(const TrainingProgress&, const TrainingProgress&) = default;
};

/// Everything that training continues from, bit for bit, in the precision of the backend.
struct TrainingState {
  TrainingProgress progress;
  /// Identifies the data that was trained on; 0: unknown.
  std::uint64_t data_fingerprint = 0;
  /// The model's counters by their names, such as the steps that dropout has drawn for.
  std::map<std::string, std::int64_t> counters;
  /// The model's tensors by their names, the optimiser's ("optimizer.first_moment.NAME", ...), the loss's
  /// ("loss.thresholds"), and within an epoch the losses of its steps so far ("training.losses").
  std::map<std::string, Tensor> tensors;
};

/// Progress within an epoch, for a live line.
struct StepProgress {
  int epoch = 0;
  std::int64_t step = 0;
  std::int64_t steps = 0;
  std::int64_t triplets = 0;  // of an epoch
  /// Mean loss of the epoch's steps up to the last check for numbers that are not finite.
  std::optional<double> loss;
};

/// on_step and on_epoch may call state().
struct TrainerCallbacks {
  std::function<void(const StepProgress&)> on_step;
  std::function<void(const EpochRecord&)> on_epoch;
  /// Gets sentences on unusual properties of the job, before its first epoch, for the log.
  std::function<void(std::string_view)> on_note;
  /// Called after every step, and repeatedly during an evaluation and a measurement of sl@k. Training
  /// ends if it returns true, as after a signal.
  std::function<bool()> should_stop;
};

enum class StopReason : std::uint8_t { kEpochs, kPatience, kRequested, kCollapse };

struct TrainingResult {
  StopReason reason = StopReason::kEpochs;
  int epochs = 0;
  int best_epoch = 0;
  double best_metric = 0.0;
};

/// Trains a model on any backend: sample, step, evaluate, select. It does no I/O. One thread
/// at a time uses a trainer, its backend and its model; callbacks are called on that thread.
class Trainer {
 public:
  /// backend and data must outlive the trainer. Throws ConfigError, also if the loss or the model is null,
  /// DeviceError, ShapeError if the parts of the data or of the model do not fit together.
  Trainer(Backend& backend, const Dataset& data, const Config& config);
  /// The same, with this loss instead of BPR with the configured L2 penalty.
  Trainer(Backend& backend, const Dataset& data, const Config& config, std::unique_ptr<Loss> loss);
  /// The same, with a model of one's own too: config.model then only counts for evaluation. The loss of
  /// the configuration is make_loss().
  Trainer(Backend& backend, const Dataset& data, const Config& config, const ModelFactory& model,
          std::unique_ptr<Loss> loss);
  ~Trainer();

  /// Trains until config.epochs epochs are finished, from the start or from the place where
  /// training was stopped or restored. Trains nothing if the collapse monitor has stopped training
  /// at this place and is still to stop it. best() is up to date whenever on_epoch is called. If the
  /// selection split has no interactions, all epochs are trained and the last parameters count as
  /// the best.
  /// Throws NumericalFault, with epoch, step and tensor, if a loss, gradient or parameter is not
  /// finite; best() then still has the best parameters of earlier epochs. This is checked every
  /// thousand steps, at the end of an epoch, and by state().
  TrainingResult run(const TrainerCallbacks& callbacks = {});

  /// The state after the last finished step. An evaluation that is not on the schedule of
  /// train.evaluate_every, such as the one after the last epoch, counts for the result and best(),
  /// but not in the state: a longer run would not have made it. Throws NumericalFault as run()
  /// does.
  TrainingState state();
  /// Continues from a state of a trainer with the same data, model and optimiser, and, within an epoch,
  /// the same loss. best() has no tensors until there is a better epoch. Throws DataError, naming file,
  /// if something is missing or does not fit, or the state belongs to other data; the trainer is then
  /// unchanged.
  void restore(const TrainingState& state, std::string_view file = "training state");
  /// Starts over from the initial parameters of the seed.
  void restart();
  /// Allocates what the job keeps: runs one step, ranks one block of users (with sl@k measures one
  /// too), copies a checkpoint to the host, and then starts over as restart() does. Later results have
  /// the same bits as without a rehearsal. Throws MemoryError or std::bad_alloc if memory is short.
  void rehearse();
  /// From now on the learning rate is the configured one, halved this many times. A state holds the
  /// number: restore() sets it as saved, restart() to 0.
  void set_rollbacks(int rollbacks);
  TrainingProgress progress() const;
  /// The size of a state's tensors in a file.
  std::int64_t state_bytes();

  /// The model, with all updates of its parameters made. Later steps may postpone some: call model()
  /// again after further steps.
  Model& model();
  /// The parameters and buffers of the best epoch so far, by their names in the model; no tensors before
  /// there is one. After a run() without an evaluation, those of the last epoch. They are no embeddings of
  /// nodes: for rankings and final embeddings, see Recommender.
  const TensorFile& best() const;
  /// The current parameters and buffers: after the last finished step.
  TensorFile last();

  Backend& backend() const;
  const Dataset& data() const;
  const Config& config() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Uploads the parameters of a checkpoint into a model, by name. Throws DataError if one is
/// missing, left over, or of another shape.
void load_parameters(Backend& backend, Model& model, const TensorFile& parameters);

}  // namespace tern
