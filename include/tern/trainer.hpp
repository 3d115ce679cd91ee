#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
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

/// What one epoch left behind: a line of metrics.jsonl.
struct EpochRecord {
  int epoch = 0;      // from 1
  double loss = 0.0;  // mean over batches of BPR + L2
  double bpr_loss = 0.0;
  double l2_loss = 0.0;
  double seconds = 0.0;             // training only, evaluation apart
  double evaluation_seconds = 0.0;  // final embeddings, monitors, metrics
  double triplets_per_second = 0.0;
  std::optional<Metrics> metrics;  // of the selection split, where this epoch was evaluated
  bool best = false;               // the best so far by the chosen metric
  EmbeddingStatistics users;       // of the final embeddings, where the monitors looked
  EmbeddingStatistics items;
  /// √Σ‖g‖² over the parameters of a side, of the epoch's last step; likewise.
  double user_gradient_norm = 0.0;
  double item_gradient_norm = 0.0;
  /// The monitors' limits that the embeddings are beyond, a sentence each, and at the end of the
  /// first epoch with any what usually causes it.
  std::vector<std::string> collapse;
};

/// How far training has come: what a training state holds besides its tensors.
struct TrainingProgress {
  int epoch = 0;             // epochs finished, their evaluation included
  std::int64_t step = 0;     // steps done of the next one; all of them: its evaluation is left
  std::int64_t steps = 0;    // steps of an epoch
  std::int64_t updates = 0;  // of the parameters, since the start
  /// The best by the evaluations on the schedule, which a longer run makes too, and by all of them.
  /// 0: none.
  int best_epoch = 0;
  int selected_epoch = 0;
  std::optional<double> best_metric;
  int since_best = 0;  // evaluations without a better one
  bool collapse_explained = false;
  int rollbacks = 0;                // each halved the learning rate
  double seconds = 0.0;             // of training in the epoch under way
  double user_gradient_norm = 0.0;  // of the last step, where an evaluation is left
  double item_gradient_norm = 0.0;
};

/// Progress within an epoch, for a live line.
struct StepProgress {
  int epoch = 0;
  std::int64_t step = 0;
  std::int64_t steps = 0;
};

/// state() may be asked for in on_step and on_epoch.
struct TrainerCallbacks {
  std::function<void(const StepProgress&)> on_step;
  std::function<void(const EpochRecord&)> on_epoch;
  /// What is odd about the job, before its first epoch: one sentence each, for the log.
  std::function<void(std::string_view)> on_note;
  /// Asked after every step, and now and then while metrics are measured; true ends training there
  /// (a signal).
  std::function<bool()> should_stop;
};

enum class StopReason : std::uint8_t { kEpochs, kPatience, kRequested, kCollapse };

struct TrainingResult {
  StopReason reason = StopReason::kEpochs;
  int epochs = 0;
  int best_epoch = 0;
  double best_metric = 0.0;
};

/// Drives a model over the seam: sample, step, evaluate, select. It knows no device and does no
/// I/O.
class Trainer {
 public:
  /// data must outlive the trainer. Throws ConfigError, DeviceError, ShapeError.
  Trainer(Backend& backend, const Dataset& data, const Config& config);
  /// With another loss than BPR with the configuration's L2 penalty.
  Trainer(Backend& backend, const Dataset& data, const Config& config, std::unique_ptr<Loss> loss);
  ~Trainer();

  /// Trains until config.epochs epochs are done, from the start or from where it was stopped or
  /// restored. best() is up to date whenever on_epoch is called. Where the chosen split has no
  /// interactions, all epochs are trained, nothing is selected, and the last parameters count as
  /// the best.
  /// Throws NumericalFault on a loss, gradient or parameter that is not finite, with epoch, step
  /// and tensor; best() then still has the best parameters of earlier epochs. It is looked for
  /// every thousand steps, at the end of an epoch, and by state().
  TrainingResult run(const TrainerCallbacks& callbacks = {});

  /// Everything that training goes on from, bit for bit, in the precision of the backend: the
  /// model's tensors by their names, the optimiser's ("optimizer.first_moment.NAME", ...), within
  /// an epoch its losses so far ("training.losses"); as metadata every field of TrainingProgress
  /// and the model's counters ("counter.NAME"). An evaluation that is not on the schedule of
  /// train.evaluate_every, as after the last epoch, counts for result and best(), but not here: a
  /// longer run would not have made it. Throws NumericalFault as run() does.
  TensorFile state();
  /// Goes on from what state() gave, of a trainer with the same data, model and optimiser; further
  /// metadata is ignored. best() has no tensors until there is a better epoch. Throws DataError,
  /// naming file, where something is missing or does not fit; then nothing has changed.
  void restore(const TensorFile& state, std::string_view file = "training state");
  /// Begins anew, with the parameters that the seed gives.
  void restart();
  /// Allocates what the job keeps: runs one step, ranks one block of users, copies a checkpoint to
  /// the host, and then begins anew as restart() does. What follows has the same bits as without it.
  /// Throws MemoryError or std::bad_alloc if memory is short.
  void rehearse();
  /// From here on the learning rate is the configuration's, halved so many times. Kept in every
  /// state; restore() and restart() bring back that of their time.
  void set_rollbacks(int rollbacks);
  TrainingProgress progress() const;
  /// What a state's tensors take in a file.
  std::int64_t state_bytes();

  Model& model();
  /// The parameters of the best epoch so far (after run(), of the last one where nothing was
  /// evaluated); no tensors before there is one.
  const TensorFile& best() const;
  /// The parameters as they are now.
  TensorFile last();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tern
