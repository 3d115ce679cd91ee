#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "tern/backend.hpp"
#include "tern/config.hpp"
#include "tern/dataset.hpp"

namespace tern {

/// A key and the values that a search may choose from, in ascending order, as TOML writes them.
struct SearchGrid {
  std::string key;
  std::vector<std::string> values;
};

/// A short training of a search.
struct SearchTrial {
  std::vector<std::string> values;  // of each grid's key
  double metric = 0.0;  // config.metric on the validation split; -inf: the training diverged
  double seconds = 0.0;
};

struct SearchResult {
  Config config;                  // with the best values
  std::vector<std::string> best;  // values of the grids' keys
  std::vector<SearchTrial> trials;
};

using Places = std::vector<std::size_t>;

/// Looks for the greatest value of a function on a grid: along one axis after the other, from `start`
/// to the better neighbour and on while the value grows, until no axis has a better neighbour. sizes: of
/// the axes. measure() is called once for each place on the way. Source: coordinate ascent.
Places climb(std::span<const std::size_t> sizes, Places start,
             const std::function<double(const Places&)>& measure);

/// Finds values of these keys by climb(), from those in the configuration; if a grid lacks that value,
/// from its middle. A trial trains `steps` steps from the start with the job's seed, and is measured once,
/// by config.metric on the validation split; a trial that diverges is the worst, and values that are
/// refused together are not tried. Deterministic. on_trial gets each trial as it ends.
/// Throws ConfigError if the validation split is empty, and as Trainer does.
SearchResult search_settings(Backend& backend, const Dataset& data, const Config& config,
                             std::span<const SearchGrid> grids, std::int64_t steps,
                             const std::function<void(const SearchTrial&)>& on_trial = {});

/// The data with a validation split: the same if it has one, else with a tenth of the training
/// interactions held out at random per user (split_randomly). Without a test split.
Dataset with_validation(const Dataset& data, Seed seed);

/// The batch size for a number of training interactions: the largest power of two with which an epoch
/// has 150 steps, from 512 to 2048.
std::int64_t batch_size_for(std::int64_t interactions);

}  // namespace tern
