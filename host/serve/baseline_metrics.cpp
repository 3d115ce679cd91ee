#include "host/serve/baseline_metrics.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <new>
#include <string_view>
#include <utility>

#include "host/support/clock.hpp"
#include "host/support/number_text.hpp"
#include "host/train/fitted_model.hpp"
#include "tern/error.hpp"

namespace tern {
namespace {

using Rankings = std::vector<NodeId>;
using Note = std::function<void(std::string_view)>;

// Shorter waits need no explanation.
constexpr double kLongSeconds = 2.0;

// The metrics of the rankings that make() returns; none if they are too large for this machine.
std::optional<Metrics> measure_rankings(std::string_view name, const BaselineTask& task,
                                        std::int64_t k, const std::function<Rankings()>& make,
                                        const Note& note) {
  const auto leave_out = [&](std::string_view reason) {
    note(fmt::format("{} is left out: {}", name, reason));
    return std::nullopt;
  };
  const Clock::time_point begin = Clock::now();
  try {
    Metrics metrics = evaluate_rankings(make(), k, task.held_out, task.lists);
    const double seconds = seconds_since(begin);
    if (seconds >= kLongSeconds) note(fmt::format("{} took {}", name, duration(seconds)));
    return metrics;
  } catch (const MemoryError& error) {
    return leave_out(error.what());
  } catch (const ConfigError& error) {
    return leave_out(error.what());
  } catch (const NumericalFault& fault) {
    return leave_out(fault.what());
  } catch (const std::bad_alloc&) {
    return leave_out("out of memory");
  }
}

}  // namespace

std::optional<BaselineResult> known_baseline(const Config& config, const EaseOptions& ease,
                                             const Metrics& metrics) {
  const ModelOptions& model = config.model;
  const GfCfOptions filter;
  const bool is_ease = model.kind == ModelKind::kEase && model.ease.l2 == ease.l2;
  const bool is_filter = model.kind == ModelKind::kGraphFilter &&
                         model.graph_filter.rank == filter.rank &&
                         model.graph_filter.alpha == filter.alpha && config.seed == filter.seed;
  if (!is_ease && !is_filter) return std::nullopt;
  return BaselineResult{std::string(model_name(model.kind)), metrics};
}

std::vector<BaselineResult> measure_baselines(const BaselineTask& task, const Note& note,
                                              const BaselineProgress& progress) {
  const std::int64_t k = *std::max_element(task.lists.ks.begin(), task.lists.ks.end());
  std::vector<BaselineResult> results;
  const auto add = [&](const char* name, const std::function<Rankings()>& make) {
    if (task.known && task.known->name == name) {
      note(fmt::format("{} is the run's own model: it is not fitted again", name));
      results.push_back(*task.known);
      return;
    }
    results.push_back({name, measure_rankings(name, task, k, make, note)});
  };
  const auto live = [&](std::string_view text) {
    if (progress) progress(text);
  };
  add("popularity", [&] {
    live("ranking by popularity");
    return popularity_rankings(task.train, task.observed, k);
  });
  add("linear_filter", [&] {
    live("ranking by the linear graph filter");
    return linear_filter_rankings(task.train, task.observed, k);
  });
  add("graph_filter", [&] { return gf_cf_rankings(task.train, task.observed, k, {}, live); });
  add("ease", [&] { return ease_rankings(task.train, task.observed, k, task.ease, live); });
  return results;
}

}  // namespace tern
