#include "tern/inspect.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <vector>

#include "tern/dataset.hpp"
#include "tests/data/data_files.hpp"

namespace tern {
namespace {

using testing::TemporaryDirectory;

TEST(Inspect, SummarisesByHand) {
  const TemporaryDirectory directory;
  directory.write("train.txt", "0 0 1 2 3\n1 0 0\n2\n3 1\n");
  directory.write("test.txt", "1 3\n2 1 4\n3 1\n");
  const DatasetSummary summary = inspect(load_dataset(directory.path()));
  EXPECT_EQ(summary.duplicates, 1);
  EXPECT_EQ(summary.train.interactions, 6);
  EXPECT_DOUBLE_EQ(summary.train.density, 6.0 / 20);
  EXPECT_EQ(summary.train.users.nodes, 4);
  EXPECT_EQ(summary.train.users.empty, 1);
  EXPECT_EQ(summary.train.users.degrees.min, 0);  // 0 1 1 4
  EXPECT_EQ(summary.train.users.degrees.median, 1);
  EXPECT_EQ(summary.train.users.degrees.p90, 4);
  EXPECT_EQ(summary.train.users.degrees.max, 4);
  EXPECT_DOUBLE_EQ(summary.train.users.degrees.mean, 1.5);
  EXPECT_EQ(summary.train.items.empty, 1);  // 2 2 1 1 0
  EXPECT_EQ(summary.train.items.degrees.median, 1);
  EXPECT_EQ(summary.all.interactions, 9);  // "3 1" is in both
  EXPECT_EQ(summary.held_out_test.users, 3);
  EXPECT_EQ(summary.held_out_test.users_without_training, 1);
  EXPECT_EQ(summary.held_out_test.items_without_training, 1);
  EXPECT_EQ(summary.held_out_test.also_in_training, 1);
  EXPECT_EQ(summary.held_out_valid.users, 0);
  EXPECT_EQ(summary.user_feature_width, std::nullopt);
}

TEST(Inspect, QuantilesAreDegreesThatOccur) {
  // Users of degree 1..10: place ceil(0.5 · 10) = 5 and ceil(0.9 · 10) = 9 of the ascending list.
  std::vector<Interaction> pairs;
  for (NodeId user = 0; user < 10; ++user) {
    for (NodeId item = 0; item <= user; ++item) pairs.push_back({user, item});
  }
  const InteractionsSummary summary = summarize(Interactions::from_pairs(10, 10, pairs));
  EXPECT_EQ(summary.users.degrees.median, 5);
  EXPECT_EQ(summary.users.degrees.p90, 9);
  EXPECT_EQ(summary.users_with_every_item, 1);
  const InteractionsSummary empty = summarize(Interactions());
  EXPECT_EQ(empty.users.nodes, 0);
  EXPECT_EQ(empty.density, 0.0);
  EXPECT_EQ(empty.users_with_every_item, 0);
}

}  // namespace
}  // namespace tern
