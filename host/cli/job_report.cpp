#include "host/cli/job_report.hpp"

#include <fmt/format.h>

#include <string_view>

#include "host/cli/format.hpp"
#include "host/config/batch.hpp"

namespace tern::cli {

JobLog log_to(Console& console) {
  return {.line = [&console](std::string_view text) { console.line(text); },
          .warning = [&console](std::string_view text) { console.warn(text); }};
}

ProgressWords words_of(const Config& config) {
  return {config.epochs, config.metric, draws_negatives(config.loss) ? "triplets" : "pairs"};
}

JobCallbacks report_job(Progress& progress, Console& console, const StopSignals& signals) {
  JobCallbacks callbacks;
  callbacks.log = log_to(console);
  callbacks.training.on_note = callbacks.log.line;
  callbacks.training.on_step = [&](const StepProgress& step) { progress.on_step(step); };
  callbacks.training.on_epoch = [&](const EpochRecord& record) { progress.on_epoch(record); };
  callbacks.training.should_stop = [&] { return signals.received(); };
  callbacks.on_checkpoint = [&](const TrainingProgress& place, double seconds) {
    console.log(Console::Level::kInfo,
                fmt::format("checkpoint after {} epochs and {} steps, written in {}", place.epoch,
                            place.step, duration(seconds)));
  };
  callbacks.on_rollback = [&](const TrainingProgress& place) { progress.restart_at(place); };
  return callbacks;
}

}  // namespace tern::cli
