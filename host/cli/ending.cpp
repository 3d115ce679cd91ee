#include "host/cli/ending.hpp"

#include <fmt/format.h>

#include "host/cli/commands.hpp"
#include "host/cli/format.hpp"

namespace tern::cli {

std::string way_on(const Run& run) {
  return fmt::format("to train on anyway: tern train --resume {} --set monitor.on_collapse=warn",
                     run.path().string());
}

int exit_code(const TrainingResult& result) {
  if (result.reason == StopReason::kCollapse) return kFailed;
  return result.reason == StopReason::kRequested ? kStopped : kDone;
}

std::string ending(const TrainingResult& result, const TrainingProgress& at, const Run& run) {
  const Config& config = run.config();
  std::string text =
      fmt::format("trained {} epoch{}", result.epochs, result.epochs == 1 ? "" : "s");
  if (at.step > 0) text += fmt::format(" and {} of {} steps", at.step, at.steps);
  if (result.reason == StopReason::kPatience) {
    text += fmt::format(" ({} evaluations without a better {})", config.patience, config.metric);
  }
  if (result.reason == StopReason::kCollapse) {
    text = "stopped because embeddings collapsed (monitor.on_collapse): " + text;
  }
  if (result.reason == StopReason::kRequested) text = "stopped by a signal: " + text;
  if (result.best_epoch > 0 && result.best_metric > 0.0) {
    text += fmt::format("; best {} on {}: {}, in epoch {}", config.metric,
                        config.select_on == SelectionSplit::kTest ? "test" : "validation",
                        brief(result.best_metric), result.best_epoch);
  }
  if (result.reason == StopReason::kCollapse) text += "; " + way_on(run);
  if (result.reason == StopReason::kRequested) {
    text += fmt::format("; continue with: tern train --resume {}", run.path().string());
  }
  return text;
}

}  // namespace tern::cli
