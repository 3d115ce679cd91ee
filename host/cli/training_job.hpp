#pragma once

#include <cstdint>
#include <optional>

#include "host/cli/console.hpp"
#include "host/cli/progress.hpp"
#include "host/cli/ranks.hpp"
#include "host/cli/signals.hpp"
#include "host/support/clock.hpp"
#include "tern/error.hpp"
#include "tern/run.hpp"
#include "tern/trainer.hpp"

namespace tern::cli {

/// Trains in a run directory until all epochs are done or a signal arrives: progress on the
/// console, metrics and checkpoints on disk. With train.on_nan = rollback, returns to the last
/// checkpoint if numbers are not finite. Of several ranks, the leader has the run; the others train
/// with it and write nothing.
class TrainingJob {
 public:
  /// run: null on a rank that follows.
  TrainingJob(Run* run, Trainer& trainer, Console& console, const StopSignals& signals,
              Ranks& ranks);

  /// Unless it throws, the final state is on disk when it returns.
  TrainingResult run();

 private:
  TrainerCallbacks callbacks();
  void on_step(const StepProgress& step);
  void on_epoch(const EpochRecord& record);
  void save();
  void roll_back(const NumericalFault& fault);
  std::optional<Run::SavedState> state_to_roll_back_to();
  bool should_stop();

  Run* run_;
  Trainer& trainer_;
  Console& console_;
  const StopSignals& signals_;
  Ranks& ranks_;
  Progress progress_;
  /// The ranks' answer to should_stop() after this step, which they gave in on_step().
  std::optional<bool> stop_after_step_;
  bool noted_ = false;  // the trainer's notes have been printed
  Clock::time_point saved_at_ = Clock::now();
  int saved_epoch_ = -1;
  std::int64_t saved_step_ = 0;
  std::optional<Run::Place> rolled_back_to_;
};

}  // namespace tern::cli
