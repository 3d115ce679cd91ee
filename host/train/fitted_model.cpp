#include "host/train/fitted_model.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "host/config/keys.hpp"
#include "host/train/ease.hpp"
#include "host/train/graph_filter.hpp"
#include "host/train/metric_sums.hpp"
#include "tern/error.hpp"

namespace tern {
namespace {

GfCfOptions filter_of(const Config& config) {
  GfCfOptions options = config.model.graph_filter;
  options.seed = config.seed;
  return options;
}

/// The length of the lists that are ranked for the metrics.
std::int64_t greatest_k(const Config& config) {
  const std::vector<int>& ks = config.evaluation.ks;
  return ks.empty() ? 0 : *std::ranges::max_element(ks);
}

void expect_fitted(const Config& config) {
  check_keys(config, "ease.");
  check_keys(config, "graph_filter.");
  if (is_fitted(config.model.kind)) return;
  throw ConfigError(
      fmt::format("model.kind: found {}, which is trained, expected ease|graph_filter",
                  model_name(config.model.kind)));
}

}  // namespace

std::unique_ptr<ItemScorer> fit_model(const Dataset& data, const Config& config,
                                      const BaselineProgress& progress) {
  expect_fitted(config);
  if (config.model.kind == ModelKind::kEase) {
    return std::make_unique<Ease>(data.train, config.model.ease, progress, greatest_k(config));
  }
  return std::make_unique<GfCf>(data.train, filter_of(config), progress, greatest_k(config));
}

std::unique_ptr<ItemScorer> restore_model(const Dataset& data, const Config& config,
                                          TensorFile arrays, std::string_view file) {
  expect_fitted(config);
  if (config.model.kind == ModelKind::kEase) {
    return std::make_unique<Ease>(std::move(arrays), data.train.num_items(), file);
  }
  return std::make_unique<GfCf>(data.train, filter_of(config), std::move(arrays), file);
}

Metrics evaluate_scorer(const ItemScorer& scorer, const Interactions& train,
                        std::span<const Interactions* const> observed, const Interactions& held_out,
                        const EvaluationOptions& options) {
  check_ks(options, scorer.num_items());
  const std::int64_t k = *std::max_element(options.ks.begin(), options.ks.end());
  check_rankings(train, observed, k);
  return evaluate_rankings(rankings_by(scorer, train, observed, k), k, held_out, options);
}

std::optional<Metrics> evaluate_selection_split(const ItemScorer& scorer, const Dataset& data,
                                                const Config& config) {
  const bool on_test = config.select_on == SelectionSplit::kTest;
  const Interactions& held_out = on_test ? data.test : data.valid;
  if (held_out.size() == 0) return std::nullopt;
  std::vector<const Interactions*> observed{&data.train};
  if (on_test) observed.push_back(&data.valid);
  return evaluate_scorer(scorer, data.train, observed, held_out, config.evaluation);
}

void expect_fittable(const Dataset& data, const Config& config) {
  expect_fitted(config);
  if (config.model.kind == ModelKind::kEase) check_ease_items(data.train.num_items());
}

std::int64_t array_bytes(const Dataset& data, const ModelOptions& options) {
  const std::int64_t items = data.train.num_items();
  if (options.kind == ModelKind::kEase) return 4 * items * items;
  return 4 * items * std::min<std::int64_t>(items, options.graph_filter.rank);
}

FitMemory fit_memory(const Dataset& data, const Config& config) {
  const std::int64_t users = data.train.num_users();
  const std::int64_t items = data.train.num_items();
  const std::int64_t k = greatest_k(config);
  if (config.model.kind == ModelKind::kEase) return {ease_bytes(users, items, k), "data.k_core"};
  const GfCfMemory need = gf_cf_memory(users, items, config.model.graph_filter.rank, k);
  return {need.peak(),
          need.ranking > need.vectors ? "train.threads, evaluation.ks" : "graph_filter.rank"};
}

}  // namespace tern
