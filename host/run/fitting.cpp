#include "host/run/fitting.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

#include "host/run/checkpoint.hpp"
#include "tern/error.hpp"

namespace tern {

bool fit_reads(ModelKind kind, std::string_view key) {
  constexpr std::array<std::string_view, 8> kRead{"log.",         "model.kind",   "data.",
                                                  "evaluation.",  "train.metric", "train.select_on",
                                                  "train.device", "train.threads"};
  const auto is_read = [&](std::string_view known) { return key.starts_with(known); };
  if (std::ranges::any_of(kRead, is_read)) return true;
  if (kind == ModelKind::kEase) return key.starts_with("ease.");
  return key.starts_with("graph_filter.") || key == "train.seed";
}

FitResult measure_fit(ItemScorer& scorer, const Dataset& data, const Config& config,
                      double seconds) {
  FitResult fit;
  fit.record.loss_name.clear();
  fit.record.seconds = seconds;
  fit.record.best = true;
  fit.record.metrics = evaluate_selection_split(scorer, data, config);
  fit.arrays = scorer.take_arrays();
  return fit;
}

void write_fit(Run& run, FitResult fit) {
  run.append(fit.record);
  run.write_fitted(std::move(fit.arrays));  // last: it makes the run complete
}

bool has_whole_fit(const Run& run, const JobLog& log) {
  if (!run.has_fitted()) return false;
  try {
    run.read_fitted();
    return true;
  } catch (const DamagedCheckpoint& error) {
    log.warn(fmt::format("{}: the model is fitted again", error.what()));
    return false;
  }
}

void note_whole_fit(const Config& fitted, const Config& config, const JobLog& log,
                    const ResumeWords& words) {
  const ModelKind kind = config.model.kind;
  std::vector<std::string> without_effect;
  for (const ConfigDifference& change : compare_configs(fitted, config)) {
    if (!fit_reads(kind, change.key) || change.key == "train.threads" ||
        change.key == "train.device" || change.key == "data.path") {
      continue;
    }
    if (change.key == "train.seed") {
      throw ConfigError(
          fmt::format("the run was fitted with {} = {}, found {}: use another {} to fit it anew",
                      change.key, change.from, change.to, words.out));
    }
    without_effect.push_back(change.key);
  }
  log.note(fmt::format("nothing to do: {} is fitted", model_name(kind)));
  if (!without_effect.empty()) {
    log.note(
        fmt::format("these changes have no effect any more: {}", fmt::join(without_effect, ", ")));
  }
}

}  // namespace tern
