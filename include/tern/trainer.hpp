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

/// Progress within an epoch, for a live line.
struct StepProgress {
  int epoch = 0;
  std::int64_t step = 0;
  std::int64_t steps = 0;
};

struct TrainerCallbacks {
  std::function<void(const StepProgress&)> on_step;
  std::function<void(const EpochRecord&)> on_epoch;
  /// What is odd about the job, before its first epoch: one sentence each, for the log.
  std::function<void(std::string_view)> on_note;
  /// Asked after every step; true ends training at once (a signal).
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

  /// Trains until config.epochs epochs are done. best() is up to date whenever on_epoch is called.
  /// Where the chosen split has no interactions, all epochs are trained, nothing is selected, and
  /// the last parameters count as the best. Throws Error on a loss or parameter that is not finite,
  /// with epoch, step and tensor; best() then still has the best parameters of earlier epochs.
  TrainingResult run(const TrainerCallbacks& callbacks = {});

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
