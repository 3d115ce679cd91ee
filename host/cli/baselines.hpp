#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "host/cli/console.hpp"
#include "tern/baselines.hpp"
#include "tern/config.hpp"
#include "tern/evaluation.hpp"
#include "tern/interactions.hpp"

namespace tern::cli {

/// A baseline by its name in tables and JSON, which is that of the model if there is one. No metrics if
/// it was left out; a line on the console gives the reason.
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

/// Measures popularity, linear_filter, graph_filter (GF-CF) and ease, in this order. One that needs
/// more memory than is free, or that is limited to fewer items, is left out with a line on the
/// console; a line reports the time of each that takes two seconds or more.
std::vector<BaselineResult> measure_baselines(const BaselineTask& task, Console& console);

}  // namespace tern::cli
