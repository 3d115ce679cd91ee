#include "host/train/search.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <limits>
#include <map>
#include <utility>

#include "host/data/split.hpp"
#include "host/train/determinism.hpp"
#include "tern/error.hpp"

namespace tern {
namespace {

/// The share of training that with_validation() holds out.
constexpr double kHeldOut = 0.1;

/// The place of the grid's value that the configuration has, else the middle.
std::size_t place_of(const Config& config, const SearchGrid& grid) {
  for (std::size_t i = 0; i < grid.values.size(); ++i) {
    Config same = config;
    set_config(same, grid.key, grid.values[i]);
    if (compare_configs(config, same).empty()) return i;
  }
  return grid.values.size() / 2;
}

constexpr double kWorst = -std::numeric_limits<double>::infinity();

/// The metric of a short training; kWorst if it diverges.
double metric_of(Backend& backend, const Dataset& data, const Config& config, std::int64_t steps) {
  try {
    return metric(train_briefly(backend, data, config, steps).metrics, config.metric);
  } catch (const NumericalFault&) {
    return kWorst;
  }
}

/// Whether the configuration can be trained: xsimgcl, for example, cannot without layers.
bool is_valid(const Config& config) {
  try {
    validate(config);
    return true;
  } catch (const ConfigError&) {
    return false;
  }
}

}  // namespace

Places climb(std::span<const std::size_t> sizes, Places start,
             const std::function<double(const Places&)>& measure) {
  std::map<Places, double> known;
  const auto value_at = [&](const Places& places) {
    const auto found = known.find(places);
    return found != known.end() ? found->second : known[places] = measure(places);
  };
  Places best = std::move(start);
  double best_value = value_at(best);
  // Goes on in one direction of one axis while the value grows. Returns whether it has moved.
  const auto walk = [&](std::size_t axis, int direction) {
    bool moved = false;
    while (direction > 0 ? best[axis] + 1 < sizes[axis] : best[axis] > 0) {
      Places next = best;
      direction > 0 ? ++next[axis] : --next[axis];
      const double value = value_at(next);
      if (!(value > best_value)) break;
      best = std::move(next);
      best_value = value;
      moved = true;
    }
    return moved;
  };
  // The best place on one axis depends on those on the others: again, until a turn moves none.
  for (bool moved = true; moved;) {
    moved = false;
    for (std::size_t axis = 0; axis < sizes.size(); ++axis) {
      if (walk(axis, 1) || walk(axis, -1)) moved = true;
    }
  }
  return best;
}

SearchResult search_settings(Backend& backend, const Dataset& data, const Config& config,
                             std::span<const SearchGrid> grids, std::int64_t steps,
                             const std::function<void(const SearchTrial&)>& on_trial) {
  if (data.valid.size() == 0) {
    throw ConfigError(
        "a search needs users with two or more interactions, to hold one out: found none");
  }
  std::vector<std::size_t> sizes;
  Places start;
  for (const SearchGrid& grid : grids) {
    sizes.push_back(grid.values.size());
    start.push_back(place_of(config, grid));
  }
  const auto apply = [&](const Places& places, Config& to) {
    for (std::size_t g = 0; g < grids.size(); ++g) {
      set_config(to, grids[g].key, grids[g].values[places[g]]);
    }
  };
  SearchResult result;
  const auto measure = [&](const Places& places) {
    Config trial_config = config;
    trial_config.select_on = SelectionSplit::kValid;
    apply(places, trial_config);
    if (!is_valid(trial_config)) return kWorst;
    const auto begin = std::chrono::steady_clock::now();
    SearchTrial& trial = result.trials.emplace_back();
    trial.metric = metric_of(backend, data, trial_config, steps);
    trial.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    for (std::size_t g = 0; g < grids.size(); ++g) {
      trial.values.push_back(grids[g].values[places[g]]);
    }
    if (on_trial) on_trial(trial);
    return trial.metric;
  };
  const Places best = climb(sizes, start, measure);
  result.config = config;
  apply(best, result.config);
  for (std::size_t g = 0; g < grids.size(); ++g) {
    result.best.push_back(grids[g].values[best[g]]);
  }
  return result;
}

Dataset with_validation(const Dataset& data, Seed seed) {
  Dataset copy = data;
  if (data.valid.size() == 0) {
    const std::vector<SplitPart> parts = split_randomly(data.train, kHeldOut, 0.0, seed);
    std::array<Interactions, kSplitParts> split = apply_split(data.train, parts);
    copy.train = std::move(split[static_cast<std::size_t>(SplitPart::kTrain)]);
    copy.valid = std::move(split[static_cast<std::size_t>(SplitPart::kTest)]);
  }
  copy.test = Interactions::from_pairs(data.train.num_users(), data.train.num_items(), {});
  return copy;
}

std::int64_t batch_size_for(std::int64_t interactions) {
  constexpr std::int64_t kSteps = 150;
  std::int64_t size = 2048;
  while (size > 512 && interactions / size < kSteps) size /= 2;
  return size;
}

}  // namespace tern
