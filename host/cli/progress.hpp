#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "host/cli/console.hpp"
#include "host/cli/progress_text.hpp"
#include "tern/trainer.hpp"

namespace tern::cli {

/// Shows the progress of training. On a terminal, a live line, and plain lines for epochs with
/// metrics; elsewhere a plain line for each epoch, and within a long one every half minute. The log
/// gets all plain lines, and the health of the embeddings, which the screen shows only on request
/// (Console::Mode::kVerbose) or with a warning.
class Progress {
 public:
  using Time = ProgressText::Time;

  /// begin: the place from which this process trains; clock: the time now.
  Progress(Console& console, ProgressWords words, const TrainingProgress& begin,
           std::function<Time()> clock = std::chrono::steady_clock::now);

  /// Training continues from another place.
  void restart_at(const TrainingProgress& begin);

  void on_step(const StepProgress& step);
  void on_epoch(const EpochRecord& record);

 private:
  Console& console_;
  std::function<Time()> clock_;
  ProgressWords words_;
  ProgressText text_;
  Time shown_;
};

}  // namespace tern::cli
