#include "host/run/resume.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "tern/error.hpp"

namespace tern {
namespace {

/// The changes of keys with this rule, as text; empty if there are none.
std::string changes_of(OnResume rule, const std::vector<ConfigDifference>& changes) {
  std::string text;
  for (const ConfigDifference& change : changes) {
    if (change.resume != rule) continue;
    if (!text.empty()) text += "; ";
    text += fmt::format("{} = {}, found {}", change.key, change.from, change.to);
  }
  return text;
}

/// Throws ConfigError if the state is within an epoch whose triplets would differ after the changes.
void expect_same_epoch(const std::vector<ConfigDifference>& changes, const TrainingProgress& at,
                       const ResumeWords& words) {
  if (at.step == 0) return;
  const std::string other = changes_of(OnResume::kBetweenEpochs, changes);
  if (other.empty()) return;
  throw ConfigError(fmt::format(
      "{}: the run is at step {} of {} of epoch {}, which began with {}: keep this until the epoch "
      "is "
      "complete ({} {} stops there)",
      words.resume, at.step, at.steps, at.epoch + 1, other, words.epochs, at.epoch + 1));
}

}  // namespace

std::vector<ConfigDifference> allowed_changes(const Config& run, const Config& wanted,
                                              const ResumeWords& words) {
  std::vector<ConfigDifference> changes = compare_configs(run, wanted);
  const std::string fixed = changes_of(OnResume::kFixed, changes);
  if (fixed.empty()) return changes;
  throw ConfigError(fmt::format(
      "{}: the run was trained with {}: keep this, or start another run with another {}",
      words.resume, fixed, words.out));
}

std::optional<Run::SavedState> load_state(const Run& run,
                                          const std::vector<ConfigDifference>& changes,
                                          const JobLog& log, const ResumeWords& words) {
  std::vector<std::string> damaged;
  std::optional<Run::SavedState> state = run.newest_state(&damaged);
  if (!state && !damaged.empty()) {
    throw Error(fmt::format("{} (no other checkpoint is left: {} starts anew)", damaged.front(),
                            words.overwrite));
  }
  for (const std::string& finding : damaged) log.warn(finding);
  if (!state) return state;
  expect_same_epoch(changes, state->state.progress, words);
  // A stop by the collapse monitor holds for its settings.
  const auto is_monitors = [](const ConfigDifference& change) {
    return change.key.starts_with("monitor.");
  };
  if (std::ranges::any_of(changes, is_monitors)) state->state.progress.collapsed = false;
  return state;
}

Finished how_finished(const Run& run, const Config& config,
                      const std::vector<ConfigDifference>& changes, const JobLog& log,
                      std::optional<Run::SavedState>& state, const ResumeWords& words) {
  const std::optional<Run::Place> place = run.newest_place();
  if (!place && run.has_embeddings("best")) {
    throw DataError(
        run.path().string(), 0,
        fmt::format(
            "the run has final embeddings, but no checkpoint to resume from: put its checkpoints "
            "back, or train it anew with {}; a run that Recommender::save() wrote has none",
            words.overwrite));
  }
  const bool may_stop = config.monitor.on_collapse == CollapseAction::kStop;
  if (!place || (place->epoch < config.epochs && !may_stop)) return Finished::kNo;
  state = load_state(run, changes, log, words);
  if (!state) return Finished::kNo;
  const TrainingProgress& at = state->state.progress;
  if (may_stop && at.collapsed) return Finished::kCollapse;
  return at.epoch < config.epochs ? Finished::kNo : Finished::kEpochs;
}

void resume_training(Run& run, Trainer& trainer, Run::SavedState* state,
                     const std::vector<ConfigDifference>& changes, const JobLog& log, int ranks) {
  bool other_numbers = false;
  bool other_selection = false;
  for (const ConfigDifference& change : changes) {
    log.note(fmt::format("changed: {} = {}, was {}", change.key, change.to, change.from));
    other_numbers = other_numbers || change.resume == OnResume::kChangesResult ||
                    change.resume == OnResume::kBetweenEpochs;
    other_selection = other_selection || change.resume == OnResume::kNewSelection;
  }
  if (state != nullptr) {
    const auto& counters = state->state.counters;
    const auto counted = counters.find(kRanksCounter);
    const std::int64_t before = counted == counters.end() ? 1 : counted->second;
    if (before != ranks) {
      log.note(fmt::format("changed: {} rank{}, was {}", ranks, ranks == 1 ? "" : "s", before));
      other_numbers = true;
    }
  }
  if (other_numbers) {
    log.note("From here on, the result differs from that of one uninterrupted training.");
  }
  if (state == nullptr) {
    log.note(fmt::format("{} has no checkpoint yet: training starts from the beginning",
                         run.path().string()));
    run.forget_after({});
    return;
  }
  TrainingProgress& at = state->state.progress;
  if (other_selection) {
    at.best_metric.reset();
    at.best_epoch = at.since_best = 0;
  }
  trainer.restore(state->state, state->path.string());
  run.forget_after({at.epoch, at.step});
  std::string place = fmt::format("resuming after {} epoch{}", at.epoch, at.epoch == 1 ? "" : "s");
  if (at.step > 0) place += fmt::format(" and {} of {} steps", at.step, at.steps);
  log.note(fmt::format("{}, from {}", place, state->path.string()));
}

}  // namespace tern
