#include "host/cli/resume.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "tern/error.hpp"

namespace tern::cli {
namespace {

// Where these differ, tensors or interactions are others.
constexpr std::array<std::string_view, 7> kFixed{
    "model.kind",   "model.width",    "model.layers",      "model.hidden",
    "model.inputs", "optimizer.kind", "optimizer.momentum"};
// These say which triplets an epoch has, and in which order.
constexpr std::array<std::string_view, 2> kOfEpochs{"train.batch_size", "train.seed"};
// With these a former best value cannot be compared with a later one.
constexpr std::array<std::string_view, 2> kOfSelection{"train.metric", "train.select_on"};
// What leaves the numbers as they are.
constexpr std::array<std::string_view, 10> kHarmless{
    "train.epochs",         "train.threads", "data.path",    "train.patience",
    "train.evaluate_every", "train.metric",  "train.on_nan", "train.max_rollbacks",
    "train.select_on",      "evaluation.ks"};

template <typename Keys>
bool among(std::string_view key, const Keys& keys) {
  return std::find(keys.begin(), keys.end(), key) != keys.end();
}

bool is_fixed(std::string_view key) {
  const bool limit = key.starts_with("data.max_");
  return among(key, kFixed) || (key.starts_with("data.") && key != "data.path" && !limit);
}

bool changes_numbers(std::string_view key) {
  return !among(key, kHarmless) && !key.starts_with("checkpoint.") &&
         !key.starts_with("monitor.") && !key.starts_with("data.max_");
}

std::string text_of(const ConfigDifference& difference) {
  return fmt::format("{} = {}, found {}", difference.key, difference.from, difference.to);
}

}  // namespace

std::vector<ConfigDifference> allowed_changes(const Config& run, const Config& wanted) {
  std::vector<ConfigDifference> changes = compare_configs(run, wanted);
  std::string fixed;
  for (const ConfigDifference& change : changes) {
    if (is_fixed(change.key)) fixed += (fixed.empty() ? "" : "; ") + text_of(change);
  }
  if (fixed.empty()) return changes;
  throw ConfigError(fmt::format(
      "--resume: the run was trained with {}; what it has learned does not fit: leave this as it "
      "is, or begin another run with another --out",
      fixed));
}

void expect_same_epoch(const std::vector<ConfigDifference>& changes, const TrainingProgress& at) {
  if (at.step == 0) return;
  std::string other;
  for (const ConfigDifference& change : changes) {
    if (among(change.key, kOfEpochs) || change.key.starts_with("sampling.")) {
      other += (other.empty() ? "" : "; ") + text_of(change);
    }
  }
  if (other.empty()) return;
  throw ConfigError(fmt::format(
      "--resume: the run stands at step {} of {} of epoch {}, which was begun with {}; go on with "
      "that, and change it between epochs (--epochs {} ends there)",
      at.step, at.steps, at.epoch + 1, other, at.epoch + 1));
}

void take_up(Run& run, Trainer& trainer, Run::SavedState* state,
             const std::vector<ConfigDifference>& changes, Console& console) {
  bool other_numbers = false;
  bool other_selection = false;
  for (const ConfigDifference& change : changes) {
    console.line(fmt::format("changed: {} = {}, was {}", change.key, change.to, change.from));
    other_numbers = other_numbers || changes_numbers(change.key);
    other_selection = other_selection || among(change.key, kOfSelection);
  }
  if (other_numbers) {
    console.line("From here on the result is not that of one undisturbed training.");
  }
  if (state == nullptr) {
    console.line(
        fmt::format("{} has no checkpoint yet: training begins anew", run.path().string()));
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
  std::string place = fmt::format("going on after {} epoch{}", at.epoch, at.epoch == 1 ? "" : "s");
  if (at.step > 0) place += fmt::format(" and {} of {} steps", at.step, at.steps);
  console.line(fmt::format("{}, from {}", place, state->path.string()));
}

}  // namespace tern::cli
