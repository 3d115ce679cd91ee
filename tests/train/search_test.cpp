#include "host/train/search.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "tern/device.hpp"
#include "tern/error.hpp"
#include "tests/train/job.hpp"

namespace tern::test {
namespace {

using testing::ElementsAre;

/// Climbs a function on a grid, and fails if a place is measured twice.
Places climbed(const std::vector<std::size_t>& sizes, const Places& start,
               const std::function<double(const Places&)>& value, std::size_t* places = nullptr) {
  std::set<Places> measured;
  const Places best = climb(sizes, start, [&](const Places& at) {
    EXPECT_TRUE(measured.insert(at).second) << testing::PrintToString(at);
    for (std::size_t axis = 0; axis < sizes.size(); ++axis) EXPECT_LT(at[axis], sizes[axis]);
    return value(at);
  });
  if (places != nullptr) *places = measured.size();
  return best;
}

double away(std::size_t a, double b) {
  return std::abs(static_cast<double>(a) - b);
}

TEST(Climb, ReachesTheTopFromEverywhere) {
  const auto hill = [](const Places& at) { return -away(at[0], 4) - away(at[1], 1); };
  for (std::size_t a = 0; a < 7; ++a) {
    for (std::size_t b = 0; b < 3; ++b) {
      EXPECT_THAT(climbed({7, 3}, {a, b}, hill), ElementsAre(4, 1)) << a << ", " << b;
    }
  }
}

TEST(Climb, ComesBackToAnAxisThatAnotherOneHasChanged) {
  // A ridge along the diagonal: one turn along both axes stops short of the top.
  const auto ridge = [](const Places& at) {
    return static_cast<double>(at[0] + at[1]) - 3.0 * away(at[0], static_cast<double>(at[1]));
  };
  EXPECT_THAT(climbed({5, 5}, {0, 0}, ridge), ElementsAre(0, 0));  // no axis leads up from here
  const auto slope = [](const Places& at) {
    return -away(at[0], static_cast<double>(at[1])) + 1.5 * static_cast<double>(at[1]);
  };
  EXPECT_THAT(climbed({4, 4}, {0, 0}, slope), ElementsAre(3, 3));
}

TEST(Climb, MeasuresTheNeighboursOfTheBestOnly) {
  std::size_t places = 0;
  EXPECT_THAT(climbed(
                  {7, 5, 5}, {3, 1, 3}, [](const Places&) { return 1.0; }, &places),
              ElementsAre(3, 1, 3));  // as good is not better
  EXPECT_EQ(places, 7u);
  EXPECT_THAT(climbed(
                  {1}, {0}, [](const Places&) { return 0.0; }, &places),
              ElementsAre(0));
  EXPECT_EQ(places, 1u);
}

const std::vector<SearchGrid> kGrids{{"model.layers", {"0", "1", "2"}},
                                     {"loss.temperature", {"0.05", "0.2", "5"}}};

Config searched_config() {
  Config config = planted_config();
  config.model.layers = 1;
  config.loss.kind = LossKind::kSoftmax;
  config.loss.softmax.temperature = 5.0;
  config.select_on = SelectionSplit::kTest;
  return config;
}

TEST(Search, ChoosesTheBestOfItsTrials) {
  const auto backend = make_cpu_backend(2);
  std::size_t reported = 0;
  const SearchResult found = search_settings(*backend, planted_dataset(), searched_config(), kGrids,
                                             40, [&](const SearchTrial&) { ++reported; });
  ASSERT_GE(found.trials.size(), 4u);  // the start, two neighbours in layers, one in temperature
  EXPECT_EQ(reported, found.trials.size());
  EXPECT_THAT(found.trials.front().values, ElementsAre("1", "5"));
  const auto best = std::ranges::max_element(found.trials, {}, &SearchTrial::metric);
  EXPECT_EQ(found.best, best->values);
  Config expected = searched_config();
  set_config(expected, "model.layers", found.best[0]);
  set_config(expected, "loss.temperature", found.best[1]);
  EXPECT_THAT(compare_configs(expected, found.config), testing::IsEmpty());
}

TEST(Search, IsTheSameWithAnyNumberOfThreads) {
  const auto trials = [](int threads) {
    const auto backend = make_cpu_backend(threads);
    std::vector<double> metrics;
    for (const SearchTrial& trial :
         search_settings(*backend, planted_dataset(), searched_config(), kGrids, 20).trials) {
      metrics.push_back(trial.metric);
    }
    return metrics;
  };
  EXPECT_EQ(trials(1), trials(3));
}

TEST(Search, DoesNotTryValuesThatAreRefused) {
  const auto backend = make_cpu_backend(1);
  Config config = searched_config();
  config.model.contrast.kind = ContrastKind::kXSimGcl;  // needs a layer
  const std::vector<SearchGrid> grids{{"model.layers", {"0", "1"}}};
  const SearchResult found = search_settings(*backend, planted_dataset(), config, grids, 5);
  EXPECT_THAT(found.best, ElementsAre("1"));
  EXPECT_EQ(found.trials.size(), 1u);
}

TEST(Search, GoesRoundValuesThatDiverge) {
  const auto backend = make_cpu_backend(1);
  Config config = searched_config();
  config.optimizer.kind = OptimizerKind::kSgd;
  const std::vector<SearchGrid> grids{{"optimizer.learning_rate", {"0.01", "1e38"}}};
  set_config(config, "optimizer.learning_rate", "1e38");
  const SearchResult found = search_settings(*backend, planted_dataset(), config, grids, 20);
  EXPECT_THAT(found.best, ElementsAre("0.01"));
  ASSERT_EQ(found.trials.size(), 2u);
  EXPECT_FALSE(std::isfinite(found.trials[0].metric));
}

TEST(Search, NeedsAValidationSplit) {
  const auto backend = make_cpu_backend(1);
  Dataset data = planted_dataset();
  data.valid = Interactions::from_pairs(data.train.num_users(), data.train.num_items(), {});
  EXPECT_THROW(search_settings(*backend, data, searched_config(), kGrids, 1), ConfigError);
}

TEST(WithValidation, KeepsAGivenSplitAndNeverLooksAtTheTestSplit) {
  const Dataset data = planted_dataset();
  const Dataset same = with_validation(data, Seed{1});
  EXPECT_EQ(same.train, data.train);
  EXPECT_EQ(same.valid, data.valid);
  EXPECT_EQ(same.test.size(), 0);
}

TEST(WithValidation, HoldsOutATenthOfTraining) {
  Dataset data = planted_dataset();
  data.valid = Interactions::from_pairs(data.train.num_users(), data.train.num_items(), {});
  const Dataset split = with_validation(data, Seed{1});
  EXPECT_EQ(split.train.size() + split.valid.size(), data.train.size());
  EXPECT_EQ(split.test.size(), 0);
  EXPECT_EQ(split.train.num_users(), data.train.num_users());
  for (NodeId user = 0; user < data.train.num_users(); ++user) {
    std::vector<NodeId> both(split.train.row(user).begin(), split.train.row(user).end());
    both.insert(both.end(), split.valid.row(user).begin(), split.valid.row(user).end());
    EXPECT_THAT(both, testing::UnorderedElementsAreArray(data.train.row(user)));
    if (data.train.row(user).size() > 1) {
      EXPECT_EQ(split.valid.row(user).size(), 1u);
    }
  }
  EXPECT_EQ(with_validation(data, Seed{1}).valid, split.valid);
  EXPECT_NE(with_validation(data, Seed{2}).valid, split.valid);
}

TEST(BatchSizeFor, HasAHundredAndFiftyStepsIfItCan) {
  EXPECT_EQ(batch_size_for(1), 512);
  EXPECT_EQ(batch_size_for(150 * 1024 - 1), 512);
  EXPECT_EQ(batch_size_for(150 * 1024), 1024);
  EXPECT_EQ(batch_size_for(150 * 2048), 2048);
  EXPECT_EQ(batch_size_for(1'000'000'000), 2048);
}

}  // namespace
}  // namespace tern::test
