#include "host/report/groups.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "host/report/principal_axes.hpp"
#include "tern/types.hpp"

namespace tern::report {
namespace {

using ::testing::ElementsAre;

TEST(Groups, GrowByAFactor) {
  const Groups few = group_by_degree({1, 0, 2, 3, 7, 4});
  EXPECT_THAT(few.names, ElementsAre("0", "1",
                                     "2\xE2\x80\x93"
                                     "3",
                                     "4+"));
  EXPECT_THAT(few.of, ElementsAre(1u, 0u, 2u, 2u, 3u, 3u));
  EXPECT_THAT(few.sizes, ElementsAre(1, 1, 2, 2));
  // 300 has nine bits: the factor is 4, so that five groups are enough.
  const Groups many = group_by_degree({300, 3, 4, 15, 16});
  EXPECT_THAT(many.names, ElementsAre("1\xE2\x80\x93"
                                      "3",
                                      "4\xE2\x80\x93"
                                      "15",
                                      "16\xE2\x80\x93"
                                      "63",
                                      "64\xE2\x80\x93"
                                      "255",
                                      "256+"));
  EXPECT_THAT(many.of, ElementsAre(4u, 0u, 1u, 1u, 2u));
  EXPECT_THAT(group_by_degree({1, 1}).names, ElementsAre("1"));
  EXPECT_THAT(group_by_degree({0}).names, ElementsAre("0"));
  EXPECT_TRUE(group_by_degree({}).names.empty());
  EXPECT_LE(group_by_degree({std::int64_t{1} << 40}).names.size(), 8u);
}

/// Three users, five items. Item 0 has three training interactions, 1 has two, 2 has one, 3 and 4 have none.
struct SmallContest {
  Interactions train = Interactions::from_pairs(
      3, 5, std::vector<Interaction>{{0, 0}, {1, 0}, {2, 0}, {0, 1}, {1, 1}, {0, 2}});
  Interactions held_out =
      Interactions::from_pairs(3, 5, std::vector<Interaction>{{0, 3}, {0, 4}, {2, 1}, {2, 3}});
  Contest contest{.split = "test",
                  .train = &train,
                  .held_out = &held_out,
                  .observed = {&train},
                  .users = {0, 2},
                  .lists = {.ks = {2}},
                  .k = 2};
};

TEST(Groups, RecallOfItemsCountsHeldOutInteractions) {
  const SmallContest small;
  const Groups items = group_by_degree(degrees(small.train, Side::kItem));
  const Ranking ranking{.lists = {3, 2, 1, 4}, .means = {}, .by_user = {}};
  const GroupRecall found = recall_of_items(small.contest, ranking, items);
  EXPECT_THAT(found.count, ElementsAre(3, 0, 1));  // degrees 0, 1, and 2 or more
  EXPECT_DOUBLE_EQ(found.recall[0], 1.0 / 3.0);    // user 0 finds item 3; user 2 does not
  EXPECT_TRUE(std::isnan(found.recall[1]));
  EXPECT_DOUBLE_EQ(found.recall[2], 1.0);
}

TEST(Groups, RecallOfUsersIsAMeanOverUsers) {
  const SmallContest small;
  const Ranking ranking = rank_by_popularity(small.contest);
  // Without their own items, the most popular are 3, 4 for user 0 and 1, 2 for user 2.
  EXPECT_THAT(ranking.lists, ElementsAre(3, 4, 1, 2));
  const Groups users = group_by_degree(degrees(small.train, Side::kUser));
  const GroupRecall found = recall_of_users(small.contest, ranking, users);
  EXPECT_THAT(found.count, ElementsAre(1, 1));  // degree 1: user 2; degree 2 or more: user 0
  EXPECT_DOUBLE_EQ(found.recall[0], 0.5);
  EXPECT_DOUBLE_EQ(found.recall[1], 1.0);
}

TEST(PrincipalAxes, FindTheDirectionsOfGreatestVariance) {
  // Around (10, -5, 2): far along (0, 0, 1), less along (1, 0, 0), not at all along (0, 1, 0).
  const std::vector<float> rows{10, -5, 6, 10, -5, -2, 11, -5, 2, 9, -5, 2};
  const PrincipalAxes axes = principal_axes(rows, 3);
  ASSERT_EQ(axes.x.size(), 4u);
  const std::vector<double> x{4, -4, 0, 0};
  const std::vector<double> y{0, 0, 1, -1};
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_NEAR(axes.x[i], x[i], 1e-9);
    EXPECT_NEAR(axes.y[i], y[i], 1e-9);
  }
  EXPECT_NEAR(axes.share_x, 32.0 / 34.0, 1e-12);
  EXPECT_NEAR(axes.share_y, 2.0 / 34.0, 1e-12);
}

TEST(PrincipalAxes, AreMissingWithoutVariance) {
  EXPECT_TRUE(principal_axes(std::vector<float>{1, 2, 1, 2}, 2).x.empty());
  EXPECT_TRUE(principal_axes(std::vector<float>{1, 2, 3}, 1).x.empty());
  EXPECT_TRUE(principal_axes({}, 4).x.empty());
}

}  // namespace
}  // namespace tern::report
