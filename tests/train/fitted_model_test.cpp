// Models that are fitted without training: the rankings of the baselines, from a scorer that is kept.

#include "host/train/fitted_model.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "host/support/parallel.hpp"
#include "host/train/ease.hpp"
#include "host/train/graph_filter.hpp"
#include "tern/device.hpp"
#include "tern/error.hpp"
#include "tern/memory.hpp"
#include "tern/model.hpp"
#include "tern/trainer.hpp"
#include "tests/train/planted.hpp"

namespace tern::test {
namespace {

Config fitted_config(ModelKind kind) {
  Config config;
  config.model.kind = kind;
  config.model.ease.l2 = 3.0;
  config.model.graph_filter = {.rank = 5, .alpha = 0.7};
  config.seed = Seed{4};
  config.evaluation.ks = {3, 5};
  config.metric = "ndcg@5";
  return config;
}

std::vector<NodeId> baseline_of(const Dataset& data, const Config& config) {
  const Interactions* observed = &data.train;
  if (config.model.kind == ModelKind::kEase) {
    return ease_rankings(data.train, {&observed, 1}, 5, config.model.ease);
  }
  GfCfOptions options = config.model.graph_filter;
  options.seed = config.seed;
  return gf_cf_rankings(data.train, {&observed, 1}, 5, options);
}

class Fitted : public testing::TestWithParam<ModelKind> {};

TEST_P(Fitted, RanksAsTheBaselineDoes) {
  const Dataset data = planted_dataset();
  const Config config = fitted_config(GetParam());
  const auto scorer = fit_model(data, config);
  const Interactions* observed = &data.train;
  const std::vector<NodeId> expected = baseline_of(data, config);
  EXPECT_EQ(rankings_by(*scorer, data.train, {&observed, 1}, 5), expected);
  EXPECT_EQ(evaluate_scorer(*scorer, data.train, {&observed, 1}, data.test, config.evaluation),
            evaluate_rankings(expected, 5, data.test, config.evaluation));
  Config other = config;
  other.model.ease.l2 = 300.0;
  other.model.graph_filter.alpha = 0.0;
  EXPECT_NE(rankings_by(*fit_model(data, other), data.train, {&observed, 1}, 5), expected);
}

TEST_P(Fitted, IsRestoredFromItsArraysBitByBit) {
  const Dataset data = planted_dataset();
  const Config config = fitted_config(GetParam());
  const auto scorer = fit_model(data, config);
  std::vector<NodeId> users(data.train.num_users());
  std::iota(users.begin(), users.end(), NodeId{0});
  const ListTask task{data.train, users, {}, {}, 4};
  const ScoredLists before = rank_items(*scorer, task);
  TensorFile arrays = scorer->take_arrays();
  ASSERT_EQ(arrays.tensors.size(), 1U);
  std::int64_t bytes = 4;
  for (const std::int64_t size : arrays.tensors.begin()->second.shape) bytes *= size;
  EXPECT_EQ(bytes, array_bytes(data, config.model));
  const auto restored = restore_model(data, config, std::move(arrays), "arrays");
  const ScoredLists after = rank_items(*restored, task);
  EXPECT_EQ(after.items, before.items);
  EXPECT_EQ(after.scores, before.scores);
}

TEST_P(Fitted, ArraysHaveTheSameBitsWithAnyNumberOfThreads) {
  const Dataset data = planted_dataset();
  std::vector<Tensor> all;
  for (const int threads : {1, 2, 3, 7}) {
    const auto limit = limit_threads(threads);
    TensorFile arrays = fit_model(data, fitted_config(GetParam()))->take_arrays();
    all.push_back(std::move(arrays.tensors.begin()->second));
  }
  for (const Tensor& tensor : all) EXPECT_EQ(tensor.values, all.front().values);
}

TEST_P(Fitted, OtherArraysAreRefused) {
  const Dataset data = planted_dataset();
  const Config config = fitted_config(GetParam());
  const std::int64_t items = data.train.num_items();
  const char* name = GetParam() == ModelKind::kEase ? Ease::kWeights : GfCf::kVectors;
  const auto refuses = [&](const char* tensor_name, Tensor tensor) {
    TensorFile arrays;
    arrays.tensors[tensor_name] = std::move(tensor);
    EXPECT_THROW(restore_model(data, config, std::move(arrays), "arrays"), DataError);
  };
  refuses("something", {{items, items}, std::vector<float>(items * items)});
  refuses(name, {{items + 1, items}, std::vector<float>((items + 1) * items)});
  refuses(name, {{items * items}, std::vector<float>(items * items)});
  refuses(name, {{items, items}, std::vector<double>(items * items)});
}

TEST_P(Fitted, HasNothingToTrainAndNeedsItsMemoryOnTheHost) {
  const Dataset data = planted_dataset();
  const Config config = fitted_config(GetParam());
  const auto backend = make_backend("reference", 1);
  EXPECT_THROW(std::make_unique<Trainer>(*backend, data, config), ConfigError);
  const MemoryEstimate estimate =
      estimate_memory({.kind = MemoryTarget::Kind::kCuda}, data, config);
  EXPECT_EQ(estimate.device(), 0);
  EXPECT_EQ(estimate.host_to_come(), fit_memory(data, config).bytes);
}

TEST_P(Fitted, MemoryHasTheRankingsOfAllUsersAndNamesTheKeyThatShrinksIt) {
  const Dataset data = planted_dataset();
  Config config = fitted_config(GetParam());
  const auto limit = limit_threads(1);
  const bool is_ease = GetParam() == ModelKind::kEase;
  const auto need = [&](int k) {
    config.evaluation.ks = {1, k};
    return fit_memory(data, config);
  };
  // From the k on for which the lists are the largest part, a list takes 4 bytes a place.
  constexpr int kLong = 10'000'000;
  EXPECT_EQ(need(kLong + 1).bytes - need(kLong).bytes, 4 * data.train.num_users());
  EXPECT_EQ(need(kLong).keys, is_ease ? "data.k_core" : "train.threads, evaluation.ks");
  config.model.graph_filter.rank = 2000;
  EXPECT_EQ(need(1).keys, is_ease ? "data.k_core" : "graph_filter.rank");
}

INSTANTIATE_TEST_SUITE_P(Models, Fitted, testing::Values(ModelKind::kEase, ModelKind::kGraphFilter),
                         [](const auto& info) { return std::string(model_name(info.param)); });

TEST(FittedModel, IsNoTrainedOne) {
  const Dataset data = planted_dataset();
  EXPECT_THROW(fit_model(data, fitted_config(ModelKind::kLightGcn)), ConfigError);
  Config config = fitted_config(ModelKind::kEase);
  config.model.ease.l2 = 0.0;
  EXPECT_THROW(fit_model(data, config), ConfigError);
  config = fitted_config(ModelKind::kGraphFilter);
  config.model.graph_filter.rank = 0;
  EXPECT_THROW(fit_model(data, config), ConfigError);
}

/// Scores item j by the sum of weight(i, j) = 10 i + j over the items i of a history.
class TenTimes final : public ItemScorer {
 public:
  NodeId num_items() const override { return 5; }
  std::unique_ptr<Scratch> make_scratch() const override { return std::make_unique<Scratch>(); }
  void score(std::span<const History> histories, Scratch& /*scratch*/,
             MatrixView<double> scores) const override {
    for (std::size_t h = 0; h < histories.size(); ++h) {
      for (std::int64_t j = 0; j < scores.cols; ++j) {
        double& score = scores.row(static_cast<std::int64_t>(h))[j] = 0.0;
        for (const NodeId i : histories[h]) score += 10.0 * i + static_cast<double>(j);
      }
    }
  }
};

TEST(RankItems, OnlyCandidatesWithoutTheObservedBestFirst) {
  const std::vector<Interaction> pairs{{0, 1}, {1, 0}, {1, 4}};
  const auto histories = Interactions::from_pairs(3, 5, pairs);
  const Interactions* observed = &histories;
  const std::vector<NodeId> users{1, 0};
  const std::vector<NodeId> candidates{0, 2, 3};
  const ScoredLists lists =
      rank_items(TenTimes(), {histories, users, {&observed, 1}, candidates, 3});
  // User 1 has items 0 and 4: 40 + 2 j. User 0 has item 1: 10 + j.
  EXPECT_EQ(lists.items, (std::vector<NodeId>{3, 2, -1, 3, 2, 0}));
  EXPECT_EQ(lists.scores, (std::vector<double>{46, 44, 0, 13, 12, 10}));
}

TEST(ScorePairs, InTheirOrderForMoreUsersThanAreScoredAtATime) {
  std::vector<Interaction> rows;
  for (NodeId user = 0; user < 40; ++user) rows.push_back({user, user % 5});
  const auto histories = Interactions::from_pairs(40, 5, rows);
  std::vector<Interaction> pairs;
  for (NodeId n = 0; n < 90; ++n) pairs.push_back({(n * 7) % 40, (n * 3) % 5});
  const std::vector<double> scores = score_pairs(TenTimes(), histories, pairs);
  for (std::size_t n = 0; n < pairs.size(); ++n) {
    EXPECT_EQ(scores[n], 10.0 * (pairs[n].user % 5) + pairs[n].item) << n;
  }
}

}  // namespace
}  // namespace tern::test
