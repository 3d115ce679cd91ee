#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "host/run/job_log.hpp"
#include "host/run/job_ranks.hpp"
#include "host/support/clock.hpp"
#include "tern/error.hpp"
#include "tern/run.hpp"
#include "tern/trainer.hpp"

namespace tern {

/// What a job reports, on its thread. Members may be empty.
struct JobCallbacks {
  /// on_note is called once, also if training is rolled back. on_epoch is called when the metrics of the
  /// epoch, and its parameters if it is the best one, are on disk.
  TrainerCallbacks training;
  JobLog log;
  /// A checkpoint of this place has been written, in so many seconds.
  std::function<void(const TrainingProgress& place, double seconds)> on_checkpoint;
  /// Training continues from an earlier place.
  std::function<void(const TrainingProgress& place)> on_rollback;
};

/// Trains in a run directory until all epochs are done or somebody asks to stop: metrics and checkpoints
/// on disk, as config().checkpoint says. With train.on_nan = rollback, returns to the last checkpoint if
/// numbers are not finite, with half the learning rate. Of several ranks, the leader has the run; the
/// others train with it and write nothing.
class TrainingJob {
 public:
  /// run, trainer and ranks must outlive the job. A trainer that has been restored is at a saved place.
  TrainingJob(Run& run, Trainer& trainer, JobCallbacks callbacks, JobRanks* ranks = nullptr);
  /// On a rank that follows.
  TrainingJob(Trainer& trainer, JobCallbacks callbacks, JobRanks& ranks);

  /// Unless it throws, the final state is on disk when it returns. Throws what a callback throws, and
  /// NumericalFault if rollbacks are off or used up.
  TrainingResult run();
  /// Writes the present state, unless it is on disk already. run() calls it; call it after a callback
  /// has thrown.
  void save();

 private:
  TrainingJob(Run* run, Trainer& trainer, JobCallbacks callbacks, JobRanks* ranks);

  TrainerCallbacks trainer_callbacks();
  void on_step(const StepProgress& step);
  void on_epoch(const EpochRecord& record);
  void roll_back(const NumericalFault& fault);
  std::optional<Run::SavedState> state_to_roll_back_to();
  bool is_asked_to_stop() const;
  bool should_stop();

  Run* run_;  // null: this rank follows
  Trainer& trainer_;
  JobCallbacks callbacks_;
  JobRanks* ranks_;  // null: this process is alone
  /// The ranks' answer to should_stop() after this step, which they gave in on_step().
  std::optional<bool> stop_after_step_;
  bool noted_ = false;  // the trainer's notes have been reported
  Clock::time_point saved_at_ = Clock::now();
  int saved_epoch_ = -1;
  std::int64_t saved_step_ = 0;
  std::optional<Run::Place> rolled_back_to_;
};

}  // namespace tern
