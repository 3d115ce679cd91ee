#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tern/baselines.hpp"
#include "tern/config.hpp"
#include "tern/evaluation.hpp"
#include "tern/interactions.hpp"

namespace tern {

/// A baseline by its name in tables and JSON, which is that of the model if there is one. No metrics if
/// it was left out; a note gives the reason.
struct BaselineResult {
  std::string name;
  std::optional<Metrics> metrics;
};

/// The data of the baselines, and the lists that are measured.
struct BaselineTask {
  const Interactions& train;
  std::span<const Interactions* const> observed;  // no candidates
  const Interactions& held_out;
  const EvaluationOptions& lists;
  EaseOptions ease;
  /// One that is measured already, which is reported and not computed again.
  std::optional<BaselineResult> known = {};
};

/// The metrics of a model as those of the baseline that it is, if both have the same options.
std::optional<BaselineResult> known_baseline(const Config& config, const EaseOptions& ease,
                                             const Metrics& metrics);

/// Measures popularity, linear_filter, graph_filter (GF-CF) and ease, in this order. One that needs
/// more memory than is free, or that is limited to fewer items, is left out with a note; a note reports
/// the time of each that takes two seconds or more. progress: see BaselineProgress.
std::vector<BaselineResult> measure_baselines(const BaselineTask& task,
                                              const std::function<void(std::string_view)>& note,
                                              const BaselineProgress& progress);

}  // namespace tern
