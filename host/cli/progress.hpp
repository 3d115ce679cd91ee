#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "host/cli/console.hpp"
#include "tern/trainer.hpp"

namespace tern::cli {

/// Shows a training job: one live line on a terminal, and a plain line an epoch (on a terminal:
/// an evaluated epoch).
class Progress {
 public:
  /// epochs: how many are asked for; metric: the one that selects the best.
  Progress(Console& console, int epochs, std::string metric);

  /// What had been done before this process: the time that is left is told from what it does.
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
