#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "host/cli/console.hpp"
#include "tern/trainer.hpp"

namespace tern::cli {

/// Shows the progress of training: a plain line for each epoch; on a terminal a live line, and plain
/// lines only for epochs with metrics.
class Progress {
 public:
  /// epochs: all of the job; metric: the one that selects the best epoch.
  Progress(Console& console, int epochs, std::string metric);

  /// The progress at the start of this process, from which the remaining time is estimated.
  void start_at(const TrainingProgress& begin);

  void on_step(const StepProgress& step);
  void on_epoch(const EpochRecord& record);

 private:
  using Clock = std::chrono::steady_clock;
  void show(int epoch, double part_of_epoch);

  Console& console_;
  int epochs_;
  std::string metric_;
  Clock::time_point start_ = Clock::now();
  double start_epochs_ = 0.0;
  Clock::time_point shown_;
  std::string figures_;  // loss and speed of the last epoch
  double best_ = 0.0;
  int best_epoch_ = 0;
};

}  // namespace tern::cli
