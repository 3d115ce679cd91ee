#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>

#include "tern/error.hpp"
#include "tests/support/backends.hpp"
#include "tests/support/compare.hpp"
#include "tests/support/graphs.hpp"
#include "tests/support/matrices.hpp"

namespace tern::test {
namespace {

constexpr float kWorst = -std::numeric_limits<float>::infinity();

/// A candidate of a query.
struct Candidate {
  double score = 0;
  double magnitude = 0;  // Σ|terms| of the score
  NodeId item = 0;
};

class ScoreTopk : public BackendTest {
 protected:
  /// The candidates of one query, best first, ties by item.
  static std::vector<Candidate> candidates(const Values& users, const Values& items, NodeId user,
                                           std::int64_t width,
                                           std::span<const Interactions> observed) {
    std::vector<Candidate> result;
    const auto num_items = static_cast<NodeId>(items.size() / static_cast<std::size_t>(width));
    std::vector<bool> masked(static_cast<std::size_t>(num_items), false);
    for (const Interactions& seen : observed) {
      for (const NodeId item : seen.row(user)) masked[item] = true;
    }
    for (NodeId item = 0; item < num_items; ++item) {
      if (masked[item]) continue;
      Candidate candidate{.item = item};
      for (std::int64_t d = 0; d < width; ++d) {
        const double term = users[user * width + d] * items[item * width + d];
        candidate.score += term;
        candidate.magnitude += std::abs(term);
      }
      if (candidate.score > kWorst) result.push_back(candidate);  // nor NaN
    }
    std::stable_sort(result.begin(), result.end(),
                     [](const Candidate& a, const Candidate& b) { return a.score > b.score; });
    return result;
  }

  TopItems run(const Values& users, const Values& items, std::int64_t width,
               const std::vector<NodeId>& queries, std::span<const Interactions> observed,
               std::int64_t k) {
    std::vector<Graph> graphs;
    for (const Interactions& seen : observed) graphs.push_back(backend_.make_graph(seen));
    std::vector<const Graph*> pointers;
    for (const Graph& graph : graphs) pointers.push_back(&graph);
    TopItems top;
    backend_.score_topk(
        make_matrix(backend_, static_cast<std::int64_t>(users.size()) / width, width, users),
        make_matrix(backend_, static_cast<std::int64_t>(items.size()) / width, width, items),
        queries, pointers, k, top);
    return top;
  }

  /// Integer scores are exact in f32: items, order and scores must be equal.
  void check_exact(const NamedGraph& named, std::int64_t width, std::int64_t k,
                   const std::vector<NodeId>& queries, std::span<const Interactions> observed) {
    // A few distinct values, so that there are many ties.
    const Values users = random_integers(named.interactions.num_users() * width, 1, 2);
    const Values items = random_integers(named.interactions.num_items() * width, 2, 2);
    const TopItems top = run(users, items, width, queries, observed, k);
    const std::string where =
        named.name + ", D " + std::to_string(width) + ", k " + std::to_string(k);
    ASSERT_EQ(top.k, k) << where;
    ASSERT_EQ(top.items.size(), queries.size() * k) << where;
    ASSERT_EQ(top.scores.size(), queries.size() * k) << where;
    for (std::size_t q = 0; q < queries.size(); ++q) {
      std::vector<NodeId> expected_items(k, -1);
      std::vector<float> expected_scores(k, kWorst);
      const auto all = candidates(users, items, queries[q], width, observed);
      for (std::size_t j = 0; j < std::min<std::size_t>(all.size(), k); ++j) {
        expected_items[j] = all[j].item;
        expected_scores[j] = static_cast<float>(all[j].score);
      }
      const auto first = static_cast<std::int64_t>(q) * k;
      EXPECT_TRUE(
          std::equal(expected_items.begin(), expected_items.end(), top.items.begin() + first))
          << where << ", query " << q;
      EXPECT_TRUE(
          std::equal(expected_scores.begin(), expected_scores.end(), top.scores.begin() + first))
          << where << ", query " << q;
    }
  }
};

TEST_P(ScoreTopk, MatchesHandComputation) {
  const Values users{1, 0, 0, 1, -1, 1};
  const Values items{3, 1, 2, 5, 3, 0, 0, 4};
  const Interactions observed(3, 4, {0, 1, 2, 2}, {0, 1});
  // User 0 scores (3, 2, 3, 0) without item 0; user 1 (1, 5, 0, 4) without item 1; user 2
  // (-2, 3, -3, 4).
  const TopItems top = run(users, items, 2, {2, 0, 1, 0}, std::span(&observed, 1), 3);
  EXPECT_EQ(top.k, 3);
  EXPECT_EQ(top.items, (std::vector<NodeId>{3, 1, 0, 2, 1, 3, 3, 0, 2, 2, 1, 3}));
  EXPECT_EQ(top.scores, (std::vector<float>{4, 3, -2, 3, 2, 0, 4, 1, 0, 3, 2, 0}));
}

TEST_P(ScoreTopk, BreaksTiesByItem) {
  const TopItems top = run({1, 0}, {7, 7, 9, 7, 9, 7}, 1, {0, 1}, {}, 4);
  EXPECT_EQ(top.items, (std::vector<NodeId>{2, 4, 0, 1, 0, 1, 2, 3}));
  EXPECT_EQ(top.scores, (std::vector<float>{9, 9, 7, 7, 0, 0, 0, 0}));
}

TEST_P(ScoreTopk, TiesZerosOfEitherSign) {
  // Products too small for any number of the backend's precision become 0, or -0 if negative.
  const double tiny = epsilon() < 0x1p-30 ? 1e-200 : 1e-30;
  constexpr NodeId kItems = 1300;
  constexpr NodeId kGood = 900;
  constexpr NodeId kBad = 5;
  Values items(kItems);
  for (NodeId item = 0; item < kItems; ++item) {
    items[item] = item % 7 == 0 ? 0.0 : item % 3 == 0 ? tiny : -tiny;
  }
  items[kGood] = 1 / tiny;
  items[kBad] = -1 / tiny;
  std::vector<NodeId> expected{kGood};
  for (NodeId item = 0; item < kItems; ++item) {
    if (item != kGood && item != kBad) expected.push_back(item);
  }
  expected.push_back(kBad);
  for (const std::int64_t k : {1, 2, 10, 300, 1299, 1300}) {
    const TopItems top = run({tiny, -tiny}, items, 1, {0, 1}, {}, k);
    EXPECT_TRUE(std::equal(top.items.begin(), top.items.begin() + k, expected.begin())) << k;
    // The other query swaps good and bad, and the signs of all zeros.
    std::vector<NodeId> swapped = expected;
    std::swap(swapped.front(), swapped.back());
    EXPECT_TRUE(std::equal(top.items.begin() + k, top.items.end(), swapped.begin())) << k;
    if (k > 1) {
      EXPECT_EQ(top.scores[1], 0.0F);
    }
  }
}

TEST_P(ScoreTopk, EndsListsEarlyWhereItemsRunOut) {
  const std::vector<Interactions> observed{{2, 3, {0, 3, 4}, {0, 1, 2, 2}}, {2, 3, {0, 0, 1}, {0}}};
  const TopItems top = run({1, 1}, {5, 6, 7}, 1, {0, 1}, observed, 5);
  EXPECT_EQ(top.items, (std::vector<NodeId>{-1, -1, -1, -1, -1, 1, -1, -1, -1, -1}));
  EXPECT_EQ(top.scores, (std::vector<float>{kWorst, kWorst, kWorst, kWorst, kWorst, 6, kWorst,
                                            kWorst, kWorst, kWorst}));
}

TEST_P(ScoreTopk, AnswersNoQueriesAndReplacesOldAnswers) {
  const Matrix users = make_matrix(backend_, 1, 1, Values{1});
  const Matrix items = make_matrix(backend_, 2, 1, Values{1, 2});
  TopItems top{.k = 9, .items = std::vector<NodeId>(40, 7), .scores = std::vector<float>(40, 7)};
  const std::vector<NodeId> query{0};
  backend_.score_topk(users, items, query, {}, 1, top);
  EXPECT_EQ(top.items, std::vector<NodeId>{1});
  EXPECT_EQ(top.scores, std::vector<float>{2});
  backend_.score_topk(users, items, {}, {}, 3, top);
  EXPECT_EQ(top.k, 3);
  EXPECT_TRUE(top.items.empty());
  EXPECT_TRUE(top.scores.empty());
}

TEST_P(ScoreTopk, WorksWithoutItems) {
  const TopItems top = run({1, 2}, {}, 1, {1}, {}, 2);
  EXPECT_EQ(top.items, (std::vector<NodeId>{-1, -1}));
}

TEST_P(ScoreTopk, IsExactOnTheBattery) {
  for (const NamedGraph& named : graph_battery(GetParam().budget)) {
    const NodeId num_users = named.interactions.num_users();
    // About 20 queries of each graph, in descending order.
    std::vector<NodeId> queries;
    for (NodeId user = num_users - 1; user >= 0; user -= num_users / 20 + 1)
      queries.push_back(user);
    const std::vector<Interactions> observed{named.interactions};
    const std::int64_t num_items = named.interactions.num_items();
    const bool many_items = num_items > 10'000;
    for (const std::int64_t k :
         {std::int64_t{1}, std::int64_t{20}, many_items ? 301 : num_items + 3}) {
      check_exact(named, named.widths.front(), k, queries, observed);
    }
    check_exact(named, named.widths.back(), 10, queries, {});
  }
}

TEST_P(ScoreTopk, MasksTheUnionOfAllObservedGraphs) {
  const NamedGraph named{"union", random_interactions(30, 50, 0.3, 3), {8}};
  const std::vector<Interactions> observed{named.interactions, random_interactions(30, 50, 0.3, 4),
                                           random_interactions(30, 50, 0.1, 5)};
  std::vector<NodeId> queries(30);
  std::iota(queries.begin(), queries.end(), 0);
  check_exact(named, 8, 50, queries, observed);
}

TEST_P(ScoreTopk, HasScoresAndOrderOfRandomEmbeddings) {
  for (const std::int64_t width : {1, 31, 64, 200}) {
    const Values users = random_values(37 * width, 1);
    const Values items = random_values(1111 * width, 2);
    const Interactions observed = random_interactions(37, 1111, 0.1, 6);
    std::vector<NodeId> queries(37);
    std::iota(queries.begin(), queries.end(), 0);
    constexpr std::int64_t kMax = 20;
    const TopItems top = run(users, items, width, queries, std::span(&observed, 1), kMax);
    const double factor = summation_factor(static_cast<double>(width)) * epsilon();
    // Every backend returns scores in f32.
    const auto tolerance = [&](const Candidate& c) {
      return factor * c.magnitude + 0x1p-23 * std::abs(c.score);
    };
    for (const NodeId query : queries) {
      auto all = candidates(users, items, query, width, std::span(&observed, 1));
      std::vector<Candidate> by_item(1111, Candidate{.item = -1});
      for (const Candidate& candidate : all) by_item[candidate.item] = candidate;
      double worst_listed = std::numeric_limits<double>::infinity();
      for (std::int64_t j = 0; j < kMax; ++j) {
        const NodeId item = top.items[query * kMax + j];
        const double score = top.scores[query * kMax + j];
        ASSERT_GE(item, 0);
        ASSERT_EQ(by_item[item].item, item) << "masked, or listed twice";
        EXPECT_NEAR(score, by_item[item].score, tolerance(by_item[item]));
        if (j > 0) {
          EXPECT_LE(score, top.scores[query * kMax + j - 1]);
        }
        worst_listed = std::min(worst_listed, by_item[item].score + tolerance(by_item[item]));
        by_item[item].item = -1;
      }
      double best_unlisted = -std::numeric_limits<double>::infinity();
      for (const Candidate& candidate : by_item) {
        if (candidate.item < 0) continue;
        best_unlisted = std::max(best_unlisted, candidate.score - tolerance(candidate));
      }
      EXPECT_LE(best_unlisted, worst_listed);
    }
  }
}

/// Numbers of items around those that a thread of the selection loads at once, and that a block does.
TEST_P(ScoreTopk, FindsTheBestWhereverTheyAre) {
  for (const NodeId items : {1, 2, 3, 4, 5, 511, 513, 2047, 2049, 2051, 8191, 8195, 10'241}) {
    // The best ones are the last and the first, then one in each part of a row.
    Values table(static_cast<std::size_t>(items), -2.0);
    for (NodeId at = items / 2; at < items; at += 1021) table[static_cast<std::size_t>(at)] = -1.0;
    table.front() = 1.0;
    table.back() = 3.0;
    const std::int64_t k = std::min<std::int64_t>(items, 7);
    const TopItems top = run({1, 2}, table, 1, {1, 0}, {}, k);
    const auto all = candidates({1}, table, 0, 1, {});
    for (std::int64_t j = 0; j < k; ++j) {
      EXPECT_EQ(top.items[j], all[j].item) << items << " items, place " << j;
      EXPECT_EQ(top.items[k + j], all[j].item) << items << " items, place " << j;
      EXPECT_EQ(top.scores[k + j], static_cast<float>(all[j].score)) << items << ", " << j;
    }
  }
}

TEST_P(ScoreTopk, AUserAloneGetsTheRowThatItGetsAmongOthers) {
  for (const std::int64_t width : {5, 64}) {
    constexpr NodeId kUsers = 150;
    constexpr NodeId kItems = 1100;
    const Values users = random_values(kUsers * width, 1);
    const Values items = random_values(kItems * width, 2);
    std::vector<NodeId> everybody(kUsers);
    std::iota(everybody.begin(), everybody.end(), 0);
    constexpr std::int64_t kMax = kItems;
    const TopItems all = run(users, items, width, everybody, {}, kMax);
    const auto expect_rows = [&](const std::vector<NodeId>& queries, std::int64_t k) {
      const TopItems some = run(users, items, width, queries, {}, k);
      for (std::size_t q = 0; q < queries.size(); ++q) {
        const auto at = static_cast<std::int64_t>(q) * k;
        const std::int64_t row = queries[q] * kMax;
        EXPECT_TRUE(std::equal(some.items.begin() + at, some.items.begin() + at + k,
                               all.items.begin() + row))
            << "user " << queries[q] << " of " << queries.size() << ", k " << k << ", D " << width;
        EXPECT_TRUE(std::equal(some.scores.begin() + at, some.scores.begin() + at + k,
                               all.scores.begin() + row))
            << "user " << queries[q] << " of " << queries.size() << ", k " << k << ", D " << width;
      }
    };
    for (const NodeId user : {0, 77, 149}) expect_rows({user}, kMax);
    expect_rows({149, 3, 80}, 10);
    expect_rows(std::vector<NodeId>(everybody.begin() + 20, everybody.begin() + 93), 1);
  }
}

TEST_P(ScoreTopk, ListsNoItemWhoseScoreIsNanOrMinusInfinity) {
  const double infinity = std::numeric_limits<double>::infinity();
  Values items = random_integers(200, 3, 9);
  for (std::size_t i = 0; i < items.size(); i += 3) items[i] = std::nan("");
  items[1] = infinity;
  items[4] = -infinity;
  const Interactions observed = random_interactions(2, 200, 0.3, 4);
  const TopItems top = run({1, std::nan("")}, items, 1, {0, 1}, std::span(&observed, 1), 150);
  const auto all = candidates({1}, items, 0, 1, std::span(&observed, 1));
  ASSERT_LT(all.size(), 150u);
  for (std::size_t j = 0; j < 150; ++j) {
    EXPECT_EQ(top.items[j], j < all.size() ? all[j].item : -1) << j;
    EXPECT_EQ(top.scores[j], j < all.size() ? static_cast<float>(all[j].score) : kWorst) << j;
    EXPECT_EQ(top.items[150 + j], -1) << "all scores of the second query are NaN";
  }
}

TEST_P(ScoreTopk, RefusesWrongShapes) {
  const Matrix users = backend_.allocate(3, 2);
  const Matrix items = backend_.allocate(4, 2);
  const Graph graph = backend_.make_graph(Interactions(3, 4, {0, 0, 0, 0}, {}));
  const Graph turned = backend_.make_graph(Interactions(4, 3, {0, 0, 0, 0, 0}, {}));
  const Graph no_graph;
  const Graph foreign_graph(std::make_unique<StrangerStorage>(), 3, 4, 0);
  const std::vector<NodeId> queries{0, 2};
  TopItems top;
  const auto refuses = [&](const Matrix& u, const Matrix& i, const std::vector<NodeId>& q,
                           const std::vector<const Graph*>& observed, std::int64_t k) {
    EXPECT_THROW(backend_.score_topk(u, i, q, observed, k, top), ShapeError);
  };
  const std::vector<const Graph*> sound{&graph};
  backend_.score_topk(users, items, queries, sound, 1, top);
  refuses(users, items, queries, sound, 0);
  refuses(users, items, queries, sound, -1);
  refuses(users, backend_.allocate(4, 3), queries, sound, 1);
  refuses(users, items, {0, 3}, sound, 1);
  refuses(users, items, {-1}, sound, 1);
  refuses(Matrix(), items, queries, sound, 1);
  refuses(users, Matrix(), queries, sound, 1);
  refuses(foreign_matrix(3, 2), items, queries, sound, 1);
  refuses(users, foreign_matrix(4, 2), queries, sound, 1);
  refuses(users, items, queries, {&turned}, 1);
  refuses(users, items, queries, {&graph, nullptr}, 1);
  refuses(users, items, queries, {&no_graph}, 1);
  refuses(users, items, queries, {&foreign_graph}, 1);
}

TEST_P(ScoreTopk, RefusesListsThatNoMemoryHolds) {
  const Matrix users = backend_.allocate(1, 1);
  const Matrix items = backend_.allocate(1, 1);
  const std::vector<NodeId> queries{0, 0};
  TopItems top;
  EXPECT_THROW(backend_.score_topk(users, items, queries, {}, std::int64_t{1} << 62, top),
               DeviceError);
}

INSTANTIATE_TEST_SUITE_P(Backends, ScoreTopk, testing::ValuesIn(backends_under_test()),
                         backend_name);

}  // namespace
}  // namespace tern::test
