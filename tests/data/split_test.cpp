#include "host/data/split.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <random>

#include "host/data/cold_items.hpp"
#include "host/support/parallel.hpp"
#include "tern/random.hpp"
#include "tests/data/random_interactions.hpp"

namespace tern {
namespace {

using ::testing::ElementsAre;
using testing::random_interactions;

constexpr SplitPart kTrain = SplitPart::kTrain;
constexpr SplitPart kValid = SplitPart::kValid;
constexpr SplitPart kTest = SplitPart::kTest;

/// Users' degrees 0, 1, 2, ..., n - 1.
Interactions staircase(NodeId n) {
  std::vector<Interaction> pairs;
  for (NodeId user = 0; user < n; ++user) {
    for (NodeId item = 0; item < user; ++item) pairs.push_back({user, item});
  }
  return Interactions::from_pairs(n, n, pairs);
}

std::int64_t expected_held_out(double fraction, std::int64_t size) {
  if (fraction == 0 || size < 2) return 0;
  return std::clamp<std::int64_t>(std::lround(fraction * static_cast<double>(size)), 1, size - 1);
}

TEST(SplitRandomly, HoldsOutTheFractionOfEveryUser) {
  const Interactions all = staircase(60);
  for (const double test : {0.0, 0.01, 0.2, 0.5, 0.99}) {
    for (const double valid : {0.0, 0.1, 0.9}) {
      const std::vector<SplitPart> parts = split_randomly(all, test, valid, Seed{7});
      const auto splits = apply_split(all, parts);
      for (NodeId user = 0; user < all.num_users(); ++user) {
        const std::int64_t num_test = expected_held_out(test, user);
        const std::int64_t num_valid = expected_held_out(valid, user - num_test);
        ASSERT_EQ(static_cast<std::int64_t>(splits[2].row(user).size()), num_test) << user;
        ASSERT_EQ(static_cast<std::int64_t>(splits[1].row(user).size()), num_valid) << user;
        ASSERT_EQ(static_cast<std::int64_t>(splits[0].row(user).size()),
                  user - num_test - num_valid);
        ASSERT_EQ(splits[0].row(user).empty(), user == 0);
      }
    }
  }
}

TEST(SplitRandomly, EveryItemIsEquallyLikely) {
  // One user of 10 items over many seeds: each item is in the test set 3 times out of 10.
  std::vector<Interaction> pairs;
  for (NodeId item = 0; item < 10; ++item) pairs.push_back({0, item});
  const Interactions all = Interactions::from_pairs(1, 10, pairs);
  constexpr int kSeeds = 4000;
  std::vector<int> count(10, 0);
  for (int seed = 0; seed < kSeeds; ++seed) {
    const auto parts = split_randomly(all, 0.3, 0.1, Seed{static_cast<std::uint64_t>(seed)});
    for (std::size_t e = 0; e < 10; ++e) count[e] += parts[e] == kTest ? 1 : 0;
  }
  double chi_square = 0;
  for (const int observed : count) {
    const double expected = 0.3 * kSeeds;
    chi_square += (observed - expected) * (observed - expected) / (expected * 0.7);
  }
  EXPECT_LT(chi_square, 27.9);  // 9 degrees of freedom, 0.1%
}

TEST(SplitRandomly, DependsOnTheSeedAndTheUserAlone) {
  const Interactions all = random_interactions(200, 100, 3000, 1);
  const auto parts = split_randomly(all, 0.2, 0.1, Seed{1});
  EXPECT_EQ(parts, split_randomly(all, 0.2, 0.1, Seed{1}));
  EXPECT_NE(parts, split_randomly(all, 0.2, 0.1, Seed{2}));
  // Without the other users' interactions, user 17 is split alike.
  std::vector<Interaction> own;
  for (const NodeId item : all.row(17)) own.push_back({17, item});
  ASSERT_GT(own.size(), 3u);
  const auto alone = split_randomly(Interactions::from_pairs(200, 100, own), 0.2, 0.1, Seed{1});
  const auto begin = parts.begin() + all.offsets()[17];
  EXPECT_TRUE(std::equal(alone.begin(), alone.end(), begin));
}

TEST(Split, DoesNotDependOnTheThreads) {
  const Interactions all = random_interactions(5000, 300, 40'000, 2);
  std::vector<Interaction> pairs;
  std::vector<double> times;
  std::mt19937 random(3);
  for (int e = 0; e < 20'000; ++e) {
    pairs.push_back({static_cast<NodeId>(random() % 3000), static_cast<NodeId>(random() % 50)});
    times.push_back(static_cast<double>(random() % 100));
  }
  const auto run = [&](int threads) {
    const ThreadLimit limit(threads);
    std::int64_t duplicates = 0;
    const DatedInteractions dated = date_interactions(3000, 50, pairs, times, &duplicates);
    return std::tuple(split_randomly(all, 0.2, 0.1, Seed{3}), dated.interactions, dated.recency,
                      duplicates, split_last(dated, 1.0), split_by_time(dated, 0.2, 0.1),
                      apply_split(dated.interactions, split_by_time(dated, 0.2, 0.1)));
  };
  const auto one = run(1);
  EXPECT_EQ(one, run(2));
  EXPECT_EQ(one, run(5));
}

TEST(Split, ReachesUsersBeyondTheLastWholeBlock) {
  // Users are split in blocks of 1024.
  for (const NodeId users : {1, 1023, 1024, 1025, 2050}) {
    std::vector<Interaction> pairs;
    for (NodeId user = 0; user < users; ++user) {
      for (NodeId item = 0; item < 4; ++item) pairs.push_back({user, item});
    }
    const Interactions all = Interactions::from_pairs(users, 4, pairs);
    std::int64_t duplicates = 0;
    const DatedInteractions dated = date_interactions(users, 4, pairs, {}, &duplicates);
    EXPECT_EQ(dated.interactions, all) << users;
    for (const std::vector<SplitPart>& parts :
         {split_randomly(all, 0.25, 0.25, Seed{1}), split_last(dated, 0.25)}) {
      const auto splits = apply_split(all, parts);
      for (NodeId user = 0; user < users; ++user) {
        ASSERT_EQ(splits[0].row(user).size(), 2u) << user << " of " << users;
        ASSERT_EQ(splits[1].row(user).size(), 1u) << user << " of " << users;
        ASSERT_EQ(splits[2].row(user).size(), 1u) << user << " of " << users;
      }
    }
  }
}

/// The first `count` elements of a shuffle of [0, size), by the random stream of this epoch and
/// index, as split.hpp documents.
std::vector<NodeId> documented_order(Seed seed, std::uint32_t epoch, std::uint64_t index, int size,
                                     int count) {
  std::vector<NodeId> order;
  for (NodeId place = 0; place < size; ++place) order.push_back(place);
  RandomStream stream(seed, Purpose::kSplit, epoch, index);
  for (int k = 0; k < count; ++k) {
    std::swap(order[k], order[k + stream.below(static_cast<std::uint32_t>(size - k))]);
  }
  order.resize(count);
  return order;
}

// Loading a data set again must give the same split, because a run refuses any other.
TEST(SplitRandomly, DrawsAsDocumented) {
  const Interactions all = random_interactions(40, 60, 700, 11);
  const std::vector<SplitPart> parts = split_randomly(all, 0.3, 0.2, Seed{12});
  for (NodeId user = 0; user < all.num_users(); ++user) {
    const auto degree = static_cast<int>(all.row(user).size());
    const auto num_test = static_cast<int>(expected_held_out(0.3, degree));
    const auto num_valid = static_cast<int>(expected_held_out(0.2, degree - num_test));
    std::vector<SplitPart> expected(degree, kTrain);
    const auto order = documented_order(Seed{12}, 0, user, degree, num_test + num_valid);
    for (int k = 0; k < num_test + num_valid; ++k) {
      expected[order[k]] = k < num_test ? kTest : kValid;
    }
    const auto begin = parts.begin() + all.offsets()[user];
    ASSERT_TRUE(std::equal(expected.begin(), expected.end(), begin)) << user;
  }
}

TEST(SplitColdItems, DrawsAsDocumented) {
  // Item 0 never occurs: place i of the order is item i + 1.
  std::vector<Interaction> pairs;
  for (NodeId item = 1; item <= 20; ++item) pairs.push_back({item % 3, item});
  const Interactions all = Interactions::from_pairs(3, 21, pairs);
  const std::vector<SplitPart> parts = split_cold_items(all, 0.4, 0.0, Seed{13});
  const std::vector<NodeId> order = documented_order(Seed{13}, 1, 0, 20, 8);
  for (std::size_t e = 0; e < parts.size(); ++e) {
    const NodeId place = all.items()[e] - 1;
    const bool cold = std::find(order.begin(), order.end(), place) != order.end();
    EXPECT_EQ(parts[e], cold ? kTest : kTrain) << place;
  }
}

TEST(DateInteractions, KeepsTheNewestOfRepeats) {
  const std::vector<Interaction> pairs{{1, 2}, {0, 1}, {1, 0}, {1, 2}, {1, 2}, {1, 0}};
  std::int64_t duplicates = 0;
  const DatedInteractions dated =
      date_interactions(3, 3, pairs, std::vector<double>{5, 1, 8, 9, 2, 8}, &duplicates);
  EXPECT_EQ(duplicates, 3);
  EXPECT_EQ(dated.interactions, Interactions::from_pairs(3, 3, pairs));
  EXPECT_THAT(dated.recency, ElementsAre(Recency{1, 1}, Recency{8, 5}, Recency{9, 3}));
  const DatedInteractions by_place = date_interactions(3, 3, pairs, {}, &duplicates);
  EXPECT_THAT(by_place.recency, ElementsAre(Recency{0, 1}, Recency{0, 5}, Recency{0, 4}));
}

TEST(SplitLast, TakesTheLastAndTheOneBefore) {
  //                                  user 0: 1 item; user 1: 2 items; user 2: 4 items
  const std::vector<Interaction> pairs{{0, 0}, {1, 3}, {1, 1}, {2, 4}, {2, 0}, {2, 2}, {2, 1}};
  std::int64_t duplicates = 0;
  const DatedInteractions by_place = date_interactions(3, 5, pairs, {}, &duplicates);
  // In CSR order: 0; 1 3; 0 1 2 4.
  EXPECT_THAT(split_last(by_place, 1.0),
              ElementsAre(kTrain, kTest, kTrain, kTrain, kTest, kValid, kTrain));
  EXPECT_THAT(split_last(by_place, 0.0),
              ElementsAre(kTrain, kTest, kTrain, kTrain, kTest, kTrain, kTrain));
  const DatedInteractions by_time =
      date_interactions(3, 5, pairs, std::vector<double>{1, 9, 2, 50, 60, 10, 20}, &duplicates);
  EXPECT_THAT(split_last(by_time, 1.0),
              ElementsAre(kTrain, kTrain, kTest, kTest, kTrain, kTrain, kValid));
}

TEST(SplitLast, AgreesWithSorting) {
  std::mt19937 random(4);
  std::vector<Interaction> pairs;
  std::vector<double> times;
  for (int e = 0; e < 3000; ++e) {
    pairs.push_back({static_cast<NodeId>(random() % 400), static_cast<NodeId>(random() % 90)});
    times.push_back(static_cast<double>(random() % 20));
  }
  std::int64_t duplicates = 0;
  const DatedInteractions all = date_interactions(400, 90, pairs, times, &duplicates);
  const std::vector<SplitPart> parts = split_last(all, 0.1);
  for (NodeId user = 0; user < 400; ++user) {
    std::vector<EdgeOffset> order;
    for (EdgeOffset e = all.interactions.offsets()[user]; e < all.interactions.offsets()[user + 1];
         ++e) {
      order.push_back(e);
    }
    std::sort(order.begin(), order.end(),
              [&](EdgeOffset a, EdgeOffset b) { return all.recency[a] > all.recency[b]; });
    for (std::size_t k = 0; k < order.size(); ++k) {
      const SplitPart expected = order.size() >= 2 && k == 0   ? kTest
                                 : order.size() >= 3 && k == 1 ? kValid
                                                               : kTrain;
      ASSERT_EQ(parts[order[k]], expected);
    }
  }
}

TEST(SplitByTime, TakesTheNewestOfAll) {
  std::mt19937 random(5);
  std::vector<Interaction> pairs;
  std::vector<double> times;
  for (int e = 0; e < 1000; ++e) {
    pairs.push_back({static_cast<NodeId>(random() % 90), static_cast<NodeId>(random() % 300)});
    times.push_back(static_cast<double>(random() % 50));
  }
  std::int64_t duplicates = 0;
  const DatedInteractions all = date_interactions(90, 300, pairs, times, &duplicates);
  const auto size = static_cast<std::int64_t>(all.recency.size());
  const std::vector<SplitPart> parts = split_by_time(all, 0.2, 0.25);
  std::map<SplitPart, std::vector<Recency>> by_part;
  for (std::size_t e = 0; e < parts.size(); ++e) by_part[parts[e]].push_back(all.recency[e]);
  EXPECT_EQ(by_part[kTest].size(), expected_held_out(0.2, size));
  EXPECT_EQ(by_part[kValid].size(), expected_held_out(0.25, size - expected_held_out(0.2, size)));
  EXPECT_LT(*std::max_element(by_part[kTrain].begin(), by_part[kTrain].end()),
            *std::min_element(by_part[kValid].begin(), by_part[kValid].end()));
  EXPECT_LT(*std::max_element(by_part[kValid].begin(), by_part[kValid].end()),
            *std::min_element(by_part[kTest].begin(), by_part[kTest].end()));
}

/// The number of each item's interactions in a part.
std::vector<std::int64_t> item_degrees(const Interactions& interactions) {
  std::vector<std::int64_t> degrees(static_cast<std::size_t>(interactions.num_items()), 0);
  for (const NodeId item : interactions.items()) ++degrees[item];
  return degrees;
}

TEST(SplitColdItems, TakesAShareOfTheItemsWithAllTheyHave) {
  const Interactions all = random_interactions(200, 150, 1500, 9);
  const std::vector<std::int64_t> whole = item_degrees(all);
  const std::int64_t occurring =
      std::count_if(whole.begin(), whole.end(), [](auto d) { return d > 0; });
  ASSERT_LT(occurring, 150);  // some items have no interactions
  for (const double share : {0.0, 0.001, 0.2, 0.5, 0.999}) {
    const auto splits = apply_split(all, split_cold_items(all, share, 0.1, Seed{3}));
    const std::vector<std::int64_t> test = item_degrees(splits[2]);
    std::int64_t cold = 0;
    for (std::size_t item = 0; item < whole.size(); ++item) {
      if (test[item] > 0) {
        ++cold;
        EXPECT_EQ(test[item], whole[item]) << item;
      }
    }
    EXPECT_EQ(cold, expected_held_out(share, occurring)) << share;
  }
}

TEST(SplitColdItems, SplitsTheRestAsIfTheColdHadNeverBeen) {
  const Interactions all = random_interactions(200, 150, 2500, 10);
  const auto splits = apply_split(all, split_cold_items(all, 0.3, 0.2, Seed{4}));
  std::vector<Interaction> rest;
  for (NodeId user = 0; user < all.num_users(); ++user) {
    const auto test = splits[2].row(user);
    for (const NodeId item : all.row(user)) {
      if (!std::binary_search(test.begin(), test.end(), item)) rest.push_back({user, item});
    }
  }
  const Interactions warm = Interactions::from_pairs(200, 150, rest);
  const auto expected = apply_split(warm, split_randomly(warm, 0.0, 0.2, Seed{4}));
  EXPECT_EQ(splits[0], expected[0]);
  EXPECT_EQ(splits[1], expected[1]);
  EXPECT_GT(splits[1].size(), 0);
}

TEST(SplitColdItems, EveryItemThatOccursIsEquallyLikely) {
  // Item 3 never occurs. Three of the ten others are drawn, whatever their degrees.
  std::vector<Interaction> pairs;
  for (NodeId item = 0; item < 11; ++item) {
    for (NodeId user = 0; user <= item && item != 3; ++user) pairs.push_back({user, item});
  }
  const Interactions all = Interactions::from_pairs(11, 11, pairs);
  constexpr int kSeeds = 4000;
  std::vector<double> count(11, 0.0);
  for (int seed = 0; seed < kSeeds; ++seed) {
    const auto parts = split_cold_items(all, 0.3, 0.0, Seed{static_cast<std::uint64_t>(seed)});
    const auto degrees = item_degrees(apply_split(all, parts)[2]);
    for (std::size_t item = 0; item < 11; ++item) count[item] += degrees[item] > 0 ? 1 : 0;
  }
  EXPECT_EQ(count[3], 0.0);
  double chi_square = 0;
  for (std::size_t item = 0; item < 11; ++item) {
    const double expected = 0.3 * kSeeds;
    if (item != 3) chi_square += std::pow(count[item] - expected, 2) / (expected * 0.7);
  }
  EXPECT_LT(chi_square, 27.9);  // 9 degrees of freedom, 0.1%
}

TEST(SplitColdItems, DependsOnTheSeed) {
  const Interactions all = random_interactions(200, 150, 1500, 9);
  EXPECT_EQ(split_cold_items(all, 0.3, 0.1, Seed{1}), split_cold_items(all, 0.3, 0.1, Seed{1}));
  EXPECT_NE(split_cold_items(all, 0.3, 0.1, Seed{1}), split_cold_items(all, 0.3, 0.1, Seed{2}));
}

TEST(ColdItems, AreThoseWithoutAnInteraction) {
  const std::vector<Interaction> pairs{{0, 1}, {0, 4}, {2, 1}};
  const Interactions train = Interactions::from_pairs(3, 6, pairs);
  EXPECT_THAT(cold_items(train), ElementsAre(0, 2, 3, 5));
  const std::vector<Interaction> held{{0, 0}, {0, 1}, {0, 3}, {1, 4}, {2, 2}, {2, 5}};
  const Interactions held_out = Interactions::from_pairs(3, 6, held);
  const std::vector<Interaction> expected{{0, 0}, {0, 2}, {2, 1}, {2, 3}};
  EXPECT_EQ(restrict_items(held_out, cold_items(train)), Interactions::from_pairs(3, 4, expected));
  EXPECT_EQ(restrict_items(held_out, {}), Interactions::from_pairs(3, 0, {}));
}

TEST(ApplySplit, EveryInteractionGoesToItsPart) {
  const Interactions all = random_interactions(100, 80, 1500, 6);
  const std::vector<SplitPart> parts = split_randomly(all, 0.3, 0.3, Seed{1});
  const auto splits = apply_split(all, parts);
  EdgeOffset e = 0;
  for (NodeId user = 0; user < all.num_users(); ++user) {
    for (const NodeId item : all.row(user)) {
      for (std::size_t part = 0; part < kSplitParts; ++part) {
        const auto row = splits[part].row(user);
        ASSERT_EQ(std::binary_search(row.begin(), row.end(), item),
                  parts[e] == static_cast<SplitPart>(part));
      }
      ++e;
    }
  }
  EXPECT_EQ(splits[0].size() + splits[1].size() + splits[2].size(), all.size());
}

}  // namespace
}  // namespace tern
