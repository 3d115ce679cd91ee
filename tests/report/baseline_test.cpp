// Rankings without training, beside a run's.

#include <gtest/gtest.h>

#include <optional>
#include <utility>
#include <vector>

#include "host/report/contest.hpp"
#include "tern/baselines.hpp"
#include "tern/dataset_builder.hpp"

namespace tern::test {
namespace {

TEST(LinearFilter, HasTheMetricsOfEvaluate) {
  DatasetBuilder builder;
  for (int user = 0; user < 20; ++user) {
    for (int item = user % 2; item < 10; item += 2) {
      const bool held_out = (user / 2 + item / 2) % 5 == 0;
      builder.add(user, item, {.part = held_out ? SplitPart::kTest : SplitPart::kTrain});
    }
  }
  const Dataset data = builder.build();
  const EvaluationOptions lists{.ks = {2, 3}};
  const std::optional<report::Contest> contest = report::find_contest(data, lists);
  ASSERT_TRUE(contest);
  const std::optional<report::Ranking> found = report::rank_by_linear_filter(*contest);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->means,
            evaluate_rankings(linear_filter_rankings(data.train, contest->observed, 3), 3,
                              data.test, lists));
  // A user's half, which popularity cannot know.
  EXPECT_GT(metric(found->means, "recall@2"),
            metric(report::rank_by_popularity(*contest).means, "recall@2"));
}

// 4,000 users with the same 2,000 items: the filter reads 8 million interactions for each of them.
TEST(LinearFilter, IsLeftOutWhereAPageWouldTakeLong) {
  constexpr NodeId kUsers = 4000;
  constexpr NodeId kItems = 2000;
  std::vector<EdgeOffset> offsets{0};
  std::vector<NodeId> items;
  for (NodeId user = 0; user < kUsers; ++user) {
    for (NodeId item = 0; item < kItems; ++item) items.push_back(item);
    offsets.push_back(static_cast<EdgeOffset>(items.size()));
  }
  Dataset data;
  data.train = Interactions(kUsers, kItems, std::move(offsets), std::move(items));
  data.valid = Interactions::from_pairs(kUsers, kItems, {});
  const std::vector<Interaction> held_out{{0, 0}};
  data.test = Interactions::from_pairs(kUsers, kItems, held_out);
  const std::optional<report::Contest> contest = report::find_contest(data, {});
  ASSERT_TRUE(contest);
  EXPECT_FALSE(report::rank_by_linear_filter(*contest));
}

}  // namespace
}  // namespace tern::test
