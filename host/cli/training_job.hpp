#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "host/cli/console.hpp"
#include "host/cli/progress.hpp"
#include "host/cli/signals.hpp"
#include "tern/error.hpp"
#include "tern/run.hpp"
#include "tern/trainer.hpp"

namespace tern::cli {

/// A trainer at work in a run's directory: progress on the console, metrics and checkpoints on
/// disk, until all epochs are done or a signal has come; and back to the last checkpoint where
/// numbers are not finite any more, if the configuration has it so.
class TrainingJob {
 public:
  TrainingJob(Run& run, Trainer& trainer, Console& console, const StopSignals& signals);

  /// Whatever it ends with, short of an error, the state of that moment is on disk then.
  TrainingResult run();

 private:
  using Clock = std::chrono::steady_clock;

  TrainerCallbacks callbacks();
  void on_step(const StepProgress& step);
  void on_epoch(const EpochRecord& record);
  void save();
  void roll_back(const NumericalFault& fault);

  Run& run_;
  Trainer& trainer_;
  Console& console_;
  const StopSignals& signals_;
  Progress progress_;
  bool noted_ = false;  // what is odd about the job has been said
  Clock::time_point saved_at_ = Clock::now();
  int saved_epoch_ = -1;
  std::int64_t saved_step_ = 0;
  std::optional<Run::Place> rolled_back_to_;
};

}  // namespace tern::cli
