#include "host/cli/search.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>
#include <vector>

#include "host/cli/format.hpp"
#include "host/config/batch.hpp"
#include "host/config/recipes.hpp"
#include "host/train/search.hpp"

namespace tern::cli {
namespace {

/// Steps of a trial. With fewer, small temperatures look better than they turn out: on MovieLens-100K,
/// the order after 250 steps is wrong, that after 500 is the final one. Small data needs fewer.
constexpr std::int64_t kMaxSteps = 1000;
constexpr std::int64_t kMaxEpochs = 40;

std::int64_t trial_steps(const Dataset& data, const Config& config) {
  const std::int64_t epoch = (data.train.size() - 1) / config.batch_size + 1;
  return std::min(kMaxSteps, kMaxEpochs * epoch);
}

/// Whether the key has an effect on this training.
bool has_effect(std::string_view key, const Config& config) {
  if (key == "model.layers") return config.model.kind == ModelKind::kLightGcn;
  return is_softmax(config.loss.kind);
}

/// The columns of the table of trials, as wide as the names of the keys.
class TrialTable {
 public:
  TrialTable(const std::vector<SearchGrid>& grids, std::string metric)
      : grids_(grids), metric_(std::move(metric)) {}

  std::string header() const {
    std::string line = "trial";
    for (const SearchGrid& grid : grids_) line += "  " + grid.key;
    return line + "  " + metric_ + "   time";
  }
  std::string row(int number, const SearchTrial& trial) const {
    std::string line = fmt::format("{:>5}", number);
    for (std::size_t g = 0; g < grids_.size(); ++g) {
      line += fmt::format("  {:>{}}", trial.values[g], grids_[g].key.size());
    }
    const std::string found =
        std::isfinite(trial.metric) ? fmt::format("{:.4f}", trial.metric) : "diverged";
    return line + fmt::format("  {:>{}}  {:>5}", found, metric_.size(), duration(trial.seconds));
  }

 private:
  const std::vector<SearchGrid>& grids_;
  std::string metric_;
};

}  // namespace

bool searches(const ConfigOptions& options) {
  return options.recipe() != nullptr && !options.recipe()->searched.empty();
}

void fit_batch_size(const ConfigOptions& options, const Dataset& data, Config& config) {
  if (!searches(options) || options.fixes("train.batch_size", "256", "2048")) return;
  config.batch_size = batch_size_for(data.train.size());
}

void fit_weight_temperature(const ConfigOptions& options, Config& config) {
  if (!searches(options) || config.loss.kind != LossKind::kSoftmaxAtK) return;
  if (options.fixes("loss.weight_temperature", "1", "2")) return;
  Config published;
  apply_recipe(published, "sl@k");
  config.loss.at_k.weight_temperature = published.loss.at_k.weight_temperature;
}

std::vector<SearchGrid> open_grids(const ConfigOptions& options, const Config& config) {
  std::vector<SearchGrid> grids;
  for (const auto& [key, values] : options.recipe()->searched) {
    if (!has_effect(key, config) || options.fixes(key, values.front(), values.back())) continue;
    grids.push_back({std::string(key), {values.begin(), values.end()}});
  }
  return grids;
}

void search_recipe(std::string_view recipe, const std::vector<SearchGrid>& grids, Backend& backend,
                   const Dataset& data, Config& config, Console& console) {
  const Dataset split = with_validation(data, config.data.split_seed);
  const std::int64_t steps = trial_steps(split, config);
  console.line(fmt::format("Recipe {}: short trainings of {} steps, batch size {}, measured on {}:",
                           recipe, steps, config.batch_size,
                           data.valid.size() > 0 ? "the validation split"
                                                 : "a tenth of the training interactions, which "
                                                   "they do not train on"));
  const TrialTable table(grids, config.metric);
  console.line(table.header());
  int number = 0;
  const SearchResult found =
      search_settings(backend, split, config, grids, steps,
                      [&](const SearchTrial& trial) { console.line(table.row(++number, trial)); });
  std::vector<std::string> chosen;
  for (std::size_t g = 0; g < grids.size(); ++g) {
    chosen.push_back(fmt::format("{}={}", grids[g].key, found.best[g]));
  }
  config = found.config;
  console.line(fmt::format("Chosen: {}", fmt::join(chosen, " ")));
}

}  // namespace tern::cli
