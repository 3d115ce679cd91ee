#include "tern/evaluation.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <set>

#include "host/support/parallel.hpp"
#include "tern/device.hpp"
#include "tern/error.hpp"

namespace tern::test {
namespace {

EvaluationOptions at(std::vector<int> ks) {
  return {std::move(ks)};
}

/// One user with held-out items among `num_items`, judged by one ranking.
Metrics of_one_user(NodeId num_items, const std::vector<NodeId>& wanted,
                    const std::vector<NodeId>& ranking, std::vector<int> ks) {
  std::vector<Interaction> pairs;
  for (const NodeId item : wanted) pairs.push_back({0, item});
  const Interactions held_out = Interactions::from_pairs(1, num_items, pairs);
  return evaluate_rankings(ranking, static_cast<std::int64_t>(ranking.size()), held_out,
                           at(std::move(ks)));
}

TEST(EvaluateRankings, ByHand) {
  // Hits at places 2 and 4; |T| = 3.
  const Metrics m = of_one_user(10, {1, 3, 7}, {0, 3, 5, 7, 9}, {1, 3, 5});
  const double second = 1.0 / std::log2(3.0);
  const double fourth = 1.0 / std::log2(5.0);
  const double ideal = 1.0 + second + 0.5;

  for (const char* name : {"recall@1", "precision@1", "ndcg@1", "hit_rate@1", "mrr@1", "map@1"}) {
    EXPECT_EQ(metric(m, name), 0.0) << name;
  }
  EXPECT_DOUBLE_EQ(metric(m, "recall@3"), 1.0 / 3.0);
  EXPECT_DOUBLE_EQ(metric(m, "precision@3"), 1.0 / 3.0);
  EXPECT_DOUBLE_EQ(metric(m, "ndcg@3"), second / ideal);
  EXPECT_DOUBLE_EQ(metric(m, "hit_rate@3"), 1.0);
  EXPECT_DOUBLE_EQ(metric(m, "mrr@3"), 0.5);
  EXPECT_DOUBLE_EQ(metric(m, "map@3"), (1.0 / 2.0) / 3.0);

  EXPECT_DOUBLE_EQ(metric(m, "recall@5"), 2.0 / 3.0);
  EXPECT_DOUBLE_EQ(metric(m, "precision@5"), 2.0 / 5.0);
  EXPECT_DOUBLE_EQ(metric(m, "ndcg@5"), (second + fourth) / ideal);
  EXPECT_DOUBLE_EQ(metric(m, "mrr@5"), 0.5);
  EXPECT_DOUBLE_EQ(metric(m, "map@5"), (1.0 / 2.0 + 2.0 / 4.0) / 3.0);

  EXPECT_DOUBLE_EQ(metric(m, "coverage@1"), 0.1);
  EXPECT_DOUBLE_EQ(metric(m, "coverage@5"), 0.5);
  EXPECT_EQ(metric(m, "users"), 1.0);
}

TEST(EvaluateRankings, MoreWantedThanRankedIsMeasuredAgainstWhatKAllows) {
  // |T| = 4 > k = 2: the ideal has two hits, recall still divides by four.
  const Metrics m = of_one_user(6, {0, 1, 2, 3}, {2, 0}, {2});
  EXPECT_DOUBLE_EQ(metric(m, "ndcg@2"), 1.0);
  EXPECT_DOUBLE_EQ(metric(m, "map@2"), 1.0);
  EXPECT_DOUBLE_EQ(metric(m, "recall@2"), 0.5);
  EXPECT_DOUBLE_EQ(metric(m, "mrr@2"), 1.0);
}

TEST(EvaluateRankings, ListsMayEndEarly) {
  const Metrics m = of_one_user(6, {5}, {4, 5, -1, -1}, {4});
  EXPECT_DOUBLE_EQ(metric(m, "precision@4"), 0.25);
  EXPECT_DOUBLE_EQ(metric(m, "mrr@4"), 0.5);
  EXPECT_DOUBLE_EQ(metric(m, "coverage@4"), 2.0 / 6.0);
  EXPECT_EQ(metric(of_one_user(6, {5}, {-1, -1}, {2}), "recall@2"), 0.0);
}

TEST(EvaluateRankings, UsersWithoutHeldOutItemsDoNotCount) {
  const std::vector<Interaction> pairs{{1, 0}};
  const Interactions held_out = Interactions::from_pairs(3, 4, pairs);
  // The rows of users 0 and 2 are not read: their items would be errors.
  const std::vector<NodeId> rankings{99, 99, 0, 3, -7, -7};
  const Metrics m = evaluate_rankings(rankings, 2, held_out, at({2}));
  EXPECT_EQ(metric(m, "users"), 1.0);
  EXPECT_EQ(metric(m, "recall@2"), 1.0);
  EXPECT_EQ(metric(m, "coverage@2"), 0.5);

  const Metrics none = evaluate_rankings(rankings, 2, Interactions::from_pairs(3, 4, {}), at({2}));
  EXPECT_EQ(metric(none, "users"), 0.0);
  EXPECT_EQ(metric(none, "recall@2"), 0.0);
}

TEST(EvaluateRankings, NamesStandInTheOrderAsked) {
  const Metrics m = of_one_user(6, {5}, {4, 5, 1}, {3, 1});
  std::vector<std::string> names;
  for (const auto& [name, value] : m) names.push_back(name);
  EXPECT_EQ(names,
            (std::vector<std::string>{"recall@3", "precision@3", "ndcg@3", "hit_rate@3", "mrr@3",
                                      "map@3", "coverage@3", "recall@1", "precision@1", "ndcg@1",
                                      "hit_rate@1", "mrr@1", "map@1", "coverage@1", "users"}));
  EXPECT_THROW(metric(m, "recall@2"), ConfigError);
}

TEST(EvaluateRankings, RefusesWhatDoesNotFit) {
  EXPECT_THROW(of_one_user(6, {5}, {0, 1}, {3}), ConfigError);  // longer than the rankings
  EXPECT_THROW(of_one_user(6, {5}, {0, 1}, {0}), ConfigError);  // no place at all
  EXPECT_THROW(of_one_user(6, {5}, {0, 1}, {7}), ConfigError);  // more places than items
  EXPECT_THROW(of_one_user(6, {5}, {0, 1}, {}), ConfigError);   // nothing to measure
  EXPECT_THROW(of_one_user(6, {5}, {0, 6}, {2}), ShapeError);   // an item that does not exist
  EXPECT_THROW(of_one_user(6, {5}, {-2, 0}, {2}), ShapeError);  // nor this one
  const Interactions two_users = Interactions::from_pairs(2, 6, {});
  EXPECT_THROW(evaluate_rankings(std::vector<NodeId>{0, 1, 2}, 2, two_users, at({1})), ShapeError);
}

/// The metrics written down once more, in the plainest way: whole score rows, full sorts, sets.
struct Naive {
  const std::vector<double>& users;
  const std::vector<double>& items;
  std::size_t width;
  std::vector<const Interactions*> observed;
  const Interactions& held_out;

  std::vector<NodeId> ranking(NodeId user) const {
    std::vector<std::pair<double, NodeId>> order;
    for (NodeId item = 0; item < held_out.num_items(); ++item) {
      bool known = false;
      for (const Interactions* interactions : observed) {
        for (const NodeId other : interactions->row(user)) known = known || other == item;
      }
      double score = 0.0;
      for (std::size_t c = 0; c < width; ++c) {
        score += users[user * width + c] * items[item * width + c];
      }
      if (!known) order.emplace_back(-score, item);
    }
    std::sort(order.begin(), order.end());
    std::vector<NodeId> ranked;
    for (const auto& [score, item] : order) ranked.push_back(item);
    return ranked;
  }

  double mean(const std::string& name, std::size_t k) const {
    double sum = 0.0;
    int counted = 0;
    std::set<NodeId> recommended;
    for (NodeId user = 0; user < held_out.num_users(); ++user) {
      const std::set<NodeId> wanted(held_out.row(user).begin(), held_out.row(user).end());
      if (wanted.empty()) continue;
      std::vector<NodeId> ranked = ranking(user);
      ranked.resize(std::min(k, ranked.size()));
      recommended.insert(ranked.begin(), ranked.end());
      ++counted;
      sum += of_user(name, k, ranked, wanted);
    }
    if (name == "coverage") {
      return static_cast<double>(recommended.size()) / held_out.num_items();
    }
    return sum / counted;
  }

  static double of_user(const std::string& name, std::size_t k, const std::vector<NodeId>& ranked,
                        const std::set<NodeId>& wanted) {
    const auto hits_in = [&](std::size_t places) {
      return static_cast<double>(
          std::count_if(ranked.begin(), ranked.begin() + static_cast<std::ptrdiff_t>(places),
                        [&](NodeId item) { return wanted.count(item) == 1; }));
    };
    const double hits = hits_in(ranked.size());
    if (name == "recall") return hits / static_cast<double>(wanted.size());
    if (name == "precision") return hits / static_cast<double>(k);
    if (name == "hit_rate") return std::min(hits, 1.0);
    double first = 0.0;
    double gain = 0.0;
    double ideal = 0.0;
    double average = 0.0;
    for (std::size_t rank = 1; rank <= std::min(k, wanted.size()); ++rank) {
      ideal += std::log(2.0) / std::log(static_cast<double>(rank) + 1.0);
    }
    for (std::size_t rank = 1; rank <= ranked.size(); ++rank) {
      if (wanted.count(ranked[rank - 1]) == 0) continue;
      if (first == 0.0) first = 1.0 / static_cast<double>(rank);
      gain += std::log(2.0) / std::log(static_cast<double>(rank) + 1.0);
      average += hits_in(rank) / static_cast<double>(rank);
    }
    if (name == "mrr") return first;
    if (name == "ndcg") return gain / ideal;
    return average / static_cast<double>(std::min(k, wanted.size()));
  }
};

struct RandomTask {
  static constexpr NodeId kUsers = 60;
  static constexpr NodeId kItems = 25;
  static constexpr std::size_t kWidth = 2;

  std::unique_ptr<Backend> backend = make_reference_backend();
  std::vector<double> user_values;
  std::vector<double> item_values;
  Interactions train;
  Interactions valid;
  Interactions test;
  Matrix users = backend->allocate(kUsers, kWidth);
  Matrix items = backend->allocate(kItems, kWidth);

  explicit RandomTask(std::uint32_t seed) {
    std::mt19937 random(seed);
    // Few small integers: scores are exact, and most of them tie.
    std::uniform_int_distribution<int> value(-2, 2);
    for (std::size_t i = 0; i < kUsers * kWidth; ++i) user_values.push_back(value(random));
    for (std::size_t i = 0; i < kItems * kWidth; ++i) item_values.push_back(value(random));
    backend->upload(std::span<const double>(user_values), users);
    backend->upload(std::span<const double>(item_values), items);
    std::vector<Interaction> pairs[3];
    std::uniform_int_distribution<int> kind(0, 7);
    for (NodeId user = 0; user < kUsers; ++user) {
      for (NodeId item = 0; item < kItems; ++item) {
        // Every fifth user has nothing held out; user 7 has seen nearly everything.
        const int drawn = kind(random);
        if (user == 7 && item < 23) {
          pairs[0].push_back({user, item});
        } else if (drawn < 3 && !(user % 5 == 0 && drawn == 2)) {
          pairs[drawn].push_back({user, item});
        }
      }
    }
    pairs[2].push_back({7, 24});
    train = Interactions::from_pairs(kUsers, kItems, pairs[0]);
    valid = Interactions::from_pairs(kUsers, kItems, pairs[1]);
    test = Interactions::from_pairs(kUsers, kItems, pairs[2]);
  }
};

TEST(Evaluate, EqualsANaiveComputationOnRandomData) {
  for (std::uint32_t seed = 1; seed <= 3; ++seed) {
    RandomTask task(seed);
    const Graph train = task.backend->make_graph(task.train);
    const Graph valid = task.backend->make_graph(task.valid);
    const Graph* observed[] = {&train, &valid};
    const std::vector<int> ks{1, 4, 20, 25};  // the last exceeds the candidates that are left
    const Metrics m = evaluate(*task.backend, task.users, task.items, observed, task.test, at(ks));
    const Naive naive{task.user_values,
                      task.item_values,
                      RandomTask::kWidth,
                      {&task.train, &task.valid},
                      task.test};
    for (const int k : ks) {
      for (const char* name :
           {"recall", "precision", "ndcg", "hit_rate", "mrr", "map", "coverage"}) {
        const std::string full = std::string(name) + "@" + std::to_string(k);
        EXPECT_NEAR(metric(m, full), naive.mean(name, static_cast<std::size_t>(k)), 1e-12)
            << full << ", seed " << seed;
      }
    }
    EXPECT_LE(metric(m, "users"), 48.0);
    EXPECT_GE(metric(m, "users"), 40.0);
  }
}

TEST(Evaluate, EqualsItsOwnRankings) {
  RandomTask task(4);
  const Graph train = task.backend->make_graph(task.train);
  const Graph* observed[] = {&train};
  std::vector<NodeId> everybody(RandomTask::kUsers);
  std::iota(everybody.begin(), everybody.end(), 0);
  TopItems top;
  task.backend->score_topk(task.users, task.items, everybody, observed, 12, top);
  const EvaluationOptions options = at({3, 10});
  EXPECT_EQ(evaluate(*task.backend, task.users, task.items, observed, task.test, options),
            evaluate_rankings(top.items, 12, task.test, options));
}

/// Users of three blocks, the last of which is short, with two held-out items each.
struct ManyUsers {
  static constexpr NodeId kUsers = 2 * 4096 + 33;
  static constexpr NodeId kItems = 30;

  ManyUsers() {
    std::mt19937 random(5);
    std::normal_distribution<double> element;
    std::vector<double> values(2 * kUsers);
    for (double& value : values) value = element(random);
    backend->upload(std::span<const double>(values), users);
    values.resize(2 * kItems);
    for (double& value : values) value = element(random);
    backend->upload(std::span<const double>(values), items);
    std::vector<Interaction> pairs;
    for (NodeId user = 0; user < kUsers; ++user) {
      pairs.push_back({user, static_cast<NodeId>(random() % kItems)});
      pairs.push_back({user, static_cast<NodeId>(random() % kItems)});
    }
    held_out = Interactions::from_pairs(kUsers, kItems, pairs);
  }

  std::unique_ptr<Backend> backend = make_reference_backend();
  Matrix users = backend->allocate(kUsers, 2);
  Matrix items = backend->allocate(kItems, 2);
  Interactions held_out;
};

/// Blocks are measured while later ones are ranked: no list is measured twice or left out, and the sums
/// have the order of the users.
TEST(Evaluate, EqualsItsOwnRankingsAcrossBlocks) {
  ManyUsers task;
  std::vector<NodeId> everybody(ManyUsers::kUsers);
  std::iota(everybody.begin(), everybody.end(), 0);
  TopItems top;
  task.backend->score_topk(task.users, task.items, everybody, {}, 5, top);
  const EvaluationOptions options = at({1, 5});
  const Metrics expected = evaluate_rankings(top.items, 5, task.held_out, options);
  EXPECT_EQ(metric(expected, "users"), ManyUsers::kUsers);
  for (const int threads : {1, 3}) {
    const ThreadLimit limit(threads);
    EXPECT_EQ(evaluate(*task.backend, task.users, task.items, {}, task.held_out, options),
              expected);
  }
}

TEST(Evaluate, IsStoppedBetweenBlocks) {
  ManyUsers task;
  for (int blocks = 0; blocks < 3; ++blocks) {
    int asked = 0;
    EXPECT_THROW(evaluate(*task.backend, task.users, task.items, {}, task.held_out, at({5}),
                          [&] { return asked++ == blocks; }),
                 Interrupted);
    EXPECT_EQ(asked, blocks + 1);
  }
}

TEST(Evaluate, RefusesShapesThatDoNotFit) {
  RandomTask task(4);
  const Interactions fewer_users = Interactions::from_pairs(59, 25, {});
  const Interactions fewer_items = Interactions::from_pairs(60, 24, {});
  for (const Interactions* held_out : {&fewer_users, &fewer_items}) {
    EXPECT_THROW(evaluate(*task.backend, task.users, task.items, {}, *held_out, at({3})),
                 ShapeError);
  }
}

TEST(Evaluate, IsTheSameForEveryNumberOfThreadsAcrossBlocks) {
  // More users than a block has: the seams between blocks must not show.
  constexpr NodeId kUsers = 9001;
  std::mt19937 random(2);
  std::uniform_int_distribution<NodeId> item(0, 49);
  std::vector<Interaction> pairs;
  std::vector<NodeId> rankings;
  double hits = 0.0;
  for (NodeId user = 0; user < kUsers; ++user) {
    const NodeId wanted = item(random);
    const NodeId first = item(random);
    const NodeId second = (first + 1) % 50;
    pairs.push_back({user, wanted});
    rankings.insert(rankings.end(), {first, second});
    hits += wanted == first || wanted == second ? 1.0 : 0.0;
  }
  const Interactions held_out = Interactions::from_pairs(kUsers, 50, pairs);
  std::vector<Metrics> results;
  for (const int count : {1, 2, 5}) {
    const ThreadLimit limit(count);
    results.push_back(evaluate_rankings(rankings, 2, held_out, at({1, 2})));
  }
  EXPECT_EQ(results[0], results[1]);
  EXPECT_EQ(results[0], results[2]);
  EXPECT_DOUBLE_EQ(metric(results[0], "recall@2"), hits / kUsers);
  EXPECT_EQ(metric(results[0], "users"), kUsers);
}

}  // namespace
}  // namespace tern::test
