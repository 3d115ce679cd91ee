#include "tern/interactions.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "host/support/parallel.hpp"
#include "tern/error.hpp"
#include "tern/random.hpp"
#include "tests/support/graphs.hpp"

namespace tern::test {
namespace {

using Pairs = std::vector<Interaction>;

Pairs random_pairs(NodeId num_users, NodeId num_items, std::int64_t count, std::uint64_t seed) {
  RandomStream stream(Seed{seed}, Purpose::kGenerate, 0, 2);
  Pairs pairs(static_cast<std::size_t>(count));
  for (Interaction& pair : pairs) {
    pair.user = static_cast<NodeId>(stream.below(static_cast<std::uint32_t>(num_users)));
    pair.item = static_cast<NodeId>(stream.below(static_cast<std::uint32_t>(num_items)));
  }
  return pairs;
}

/// The CSR, built from a sorted set.
Interactions by_set(NodeId num_users, NodeId num_items, const Pairs& pairs) {
  const std::set<Interaction> distinct(pairs.begin(), pairs.end());
  std::vector<EdgeOffset> offsets(static_cast<std::size_t>(num_users) + 1, 0);
  std::vector<NodeId> items;
  for (const auto& [user, item] : distinct) {
    ++offsets[user + 1];
    items.push_back(item);
  }
  for (NodeId user = 0; user < num_users; ++user) offsets[user + 1] += offsets[user];
  return {num_users, num_items, offsets, items};
}

std::string message_of(const std::function<void()>& bad) {
  try {
    bad();
  } catch (const ShapeError& error) {
    return error.what();
  }
  return "nothing was thrown";
}

TEST(Interactions, MatchHandComputation) {
  const Pairs pairs{{2, 3}, {0, 1}, {2, 0}, {0, 1}, {2, 3}, {2, 3}, {0, 0}};
  std::int64_t duplicates = 10;
  const auto interactions = Interactions::from_pairs(4, 5, pairs, &duplicates);
  EXPECT_EQ(duplicates, 13) << "repeats are added";
  EXPECT_EQ(interactions, Interactions(4, 5, {0, 2, 2, 4, 4}, {0, 1, 0, 3}));
  EXPECT_EQ(interactions.num_users(), 4);
  EXPECT_EQ(interactions.num_items(), 5);
  EXPECT_EQ(interactions.size(), 4);
  EXPECT_TRUE(std::ranges::equal(interactions.row(2), std::vector<NodeId>{0, 3}));
  EXPECT_TRUE(interactions.row(1).empty());
  EXPECT_EQ(interactions.transposed(), Interactions(5, 4, {0, 2, 3, 3, 4, 4}, {0, 2, 0, 2}));
}

TEST(Interactions, OfNothing) {
  const Interactions none;
  EXPECT_EQ(none.num_users(), 0);
  EXPECT_EQ(none.num_items(), 0);
  EXPECT_EQ(none.size(), 0);
  EXPECT_EQ(none, Interactions::from_pairs(0, 0, {}));
  EXPECT_EQ(none.transposed(), none);
  const auto no_users = Interactions::from_pairs(0, 4, {});
  EXPECT_EQ(no_users.transposed(), Interactions::from_pairs(4, 0, {}));
}

TEST(Interactions, EqualASortedSet) {
  for (const std::int64_t count : {0, 1, 100, 3000, 200'000}) {
    for (const auto& [users, items] : {std::pair{1, 1}, {50, 7}, {3, 900}, {20'000, 3000}}) {
      const Pairs pairs = random_pairs(users, items, count, 3);
      std::int64_t duplicates = 0;
      const auto interactions = Interactions::from_pairs(users, items, pairs, &duplicates);
      EXPECT_EQ(interactions, by_set(users, items, pairs));
      EXPECT_EQ(duplicates, count - interactions.size());
    }
  }
}

TEST(Interactions, KeepAFinishedCsrAsItIs) {
  Pairs sorted;  // without repeats
  for (NodeId user = 0; user < 300; ++user) {
    for (NodeId item = user % 5; item < 300; item += 2) sorted.push_back({user, item});
  }
  const auto interactions = Interactions::from_pairs(300, 300, sorted);
  EXPECT_EQ(interactions, by_set(300, 300, sorted));
}

TEST(Interactions, DoNotDependOnTheNumberOfThreads) {
  const Pairs pairs = random_pairs(500, 400, 300'000, 4);
  const auto build = [&](int threads) {
    const ThreadLimit limit(threads);
    const auto built = Interactions::from_pairs(500, 400, pairs);
    return std::pair(built, built.transposed());
  };
  const auto one = build(1);
  for (const int threads : {2, 3, 7}) EXPECT_EQ(build(threads), one) << threads;
}

TEST(Interactions, TransposeTwiceIsTheSame) {
  for (const NamedGraph& graph : graph_battery(1 << 30)) {
    const Interactions transposed = graph.interactions.transposed();
    EXPECT_EQ(transposed.size(), graph.interactions.size()) << graph.name;
    EXPECT_EQ(transposed.transposed(), graph.interactions) << graph.name;
  }
}

TEST(Interactions, NameTheFirstPairOutOfRange) {
  const auto build = [](const Pairs& pairs) {
    return message_of([&] { (void)Interactions::from_pairs(3, 2, pairs); });
  };
  EXPECT_EQ(build({{0, 0}, {3, 1}, {0, 9}}),
            "interaction 1 is (user 3, item 1), expected users in [0, 3) and items in [0, 2)");
  EXPECT_NE(build({{-1, 0}}), "nothing was thrown");
  EXPECT_NE(build({{0, 2}}), "nothing was thrown");
  EXPECT_NE(build({{0, -1}}), "nothing was thrown");
  Pairs many(100'000, Interaction{1, 1});
  many[70'000].item = many[99'999].item = 2;
  EXPECT_NE(build(many).find("interaction 70000 "), std::string::npos);
  EXPECT_THROW(Interactions::from_pairs(-1, 2, {}), ShapeError);
  EXPECT_THROW(Interactions::from_pairs(1, -2, {}), ShapeError);
}

TEST(Interactions, RefuseWhatIsNoCsr) {
  const auto refuses = [](NodeId users, NodeId items, std::vector<EdgeOffset> offsets,
                          std::vector<NodeId> columns) {
    EXPECT_THROW(Interactions(users, items, std::move(offsets), std::move(columns)), ShapeError);
  };
  EXPECT_EQ(Interactions(2, 3, {0, 2, 3}, {0, 2, 1}).size(), 3);  // valid
  refuses(-1, 3, {}, {});
  refuses(2, -1, {0, 0, 0}, {});
  refuses(2, 3, {0, 3}, {0, 2, 1});
  refuses(2, 3, {0, 1, 2, 3}, {0, 2, 1});
  refuses(2, 3, {}, {});
  refuses(2, 3, {1, 2, 3}, {0, 2, 1});
  refuses(2, 3, {0, 2, 2}, {0, 2, 1});
  refuses(2, 3, {0, 2, 4}, {0, 2, 1});
  refuses(3, 3, {0, 3, 2, 3}, {0, 1, 2});
  refuses(2, 3, {0, 2, 3}, {2, 0, 1});
  refuses(2, 3, {0, 2, 3}, {2, 2, 1});
  refuses(2, 3, {0, 2, 3}, {0, 3, 1});
  refuses(2, 3, {0, 2, 3}, {-1, 2, 1});
  EXPECT_EQ(message_of([] {
              (void)Interactions(2, 3, {0, 2, 3}, {0, 2, 3});
            }),
            "entry 0 of user 1's interactions is item 3, expected strictly ascending items in "
            "[0, 3)");
}

TEST(Interactions, RefuseRowsThatAreNot) {
  const Interactions interactions(2, 3, {0, 2, 3}, {0, 2, 1});
  EXPECT_THROW((void)interactions.row(-1), ShapeError);
  EXPECT_THROW((void)interactions.row(2), ShapeError);
}

}  // namespace
}  // namespace tern::test
