#include "tern/baselines.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "host/support/parallel.hpp"
#include "tern/error.hpp"
#include "tests/train/planted.hpp"

namespace tern::test {
namespace {

using Rows = std::vector<std::vector<double>>;

Rows dense(const Interactions& interactions) {
  Rows rows(interactions.num_users(), std::vector<double>(interactions.num_items(), 0.0));
  for (NodeId user = 0; user < interactions.num_users(); ++user) {
    for (const NodeId item : interactions.row(user)) rows[user][item] = 1.0;
  }
  return rows;
}

/// R̃ R̃ᵀ R̃ by its definition.
Rows filter_scores(const Interactions& train) {
  Rows r = dense(train);
  std::vector<double> user_degree(r.size(), 0.0);
  std::vector<double> item_degree(r[0].size(), 0.0);
  for (std::size_t u = 0; u < r.size(); ++u) {
    for (std::size_t i = 0; i < r[u].size(); ++i) {
      user_degree[u] += r[u][i];
      item_degree[i] += r[u][i];
    }
  }
  for (std::size_t u = 0; u < r.size(); ++u) {
    for (std::size_t i = 0; i < r[u].size(); ++i) {
      if (r[u][i] != 0.0) r[u][i] /= std::sqrt(user_degree[u]) * std::sqrt(item_degree[i]);
    }
  }
  Rows scores(r.size(), std::vector<double>(r[0].size(), 0.0));
  for (std::size_t u = 0; u < r.size(); ++u) {
    for (std::size_t v = 0; v < r.size(); ++v) {
      double weight = 0.0;
      for (std::size_t i = 0; i < r[u].size(); ++i) weight += r[u][i] * r[v][i];
      for (std::size_t i = 0; i < r[u].size(); ++i) scores[u][i] += weight * r[v][i];
    }
  }
  return scores;
}

Rows popularity_scores(const Interactions& train) {
  std::vector<double> degree(train.num_items(), 0.0);
  for (const NodeId item : train.items()) degree[item] += 1.0;
  return Rows(train.num_users(), degree);
}

/// Whether the rankings are those of the scores: every item at its place, no better one left out,
/// no observed item, no item twice. Scores closer than 1e-12 count as tied.
void expect_ranked_by(const std::vector<NodeId>& rankings, std::int64_t k, const Rows& scores,
                      const std::vector<const Interactions*>& observed) {
  ASSERT_EQ(rankings.size(), scores.size() * static_cast<std::size_t>(k));
  for (std::size_t user = 0; user < scores.size(); ++user) {
    std::vector<double> candidates = scores[user];
    for (const Interactions* interactions : observed) {
      for (const NodeId item : interactions->row(static_cast<NodeId>(user))) {
        candidates[item] = -1.0;
      }
    }
    std::vector<double> expected;
    std::copy_if(candidates.begin(), candidates.end(), std::back_inserter(expected),
                 [](double score) { return score >= 0.0; });
    std::sort(expected.rbegin(), expected.rend());
    for (std::size_t place = 0; place < static_cast<std::size_t>(k); ++place) {
      const NodeId item = rankings[user * static_cast<std::size_t>(k) + place];
      if (place >= expected.size()) {
        EXPECT_EQ(item, -1);
        continue;
      }
      ASSERT_GE(item, 0) << "user " << user << " place " << place;
      EXPECT_NEAR(candidates[item], expected[place], 1e-12) << "user " << user;
      candidates[item] = -1.0;  // a second time would be wrong
    }
  }
}

TEST(PopularityRankings, ByHand) {
  // Degrees 1, 3, 1, 0, 2.
  const std::vector<Interaction> pairs{{0, 1}, {1, 1}, {2, 1}, {0, 4}, {1, 4}, {2, 0}, {2, 2}};
  const Interactions train = Interactions::from_pairs(4, 5, pairs);
  const Interactions* observed[] = {&train};
  EXPECT_EQ(popularity_rankings(train, observed, 3),
            (std::vector<NodeId>{0, 2, 3, 0, 2, 3, 4, 3, -1, 1, 4, 0}));
}

TEST(LinearFilterRankings, ByHand) {
  // u0: i0; u1: i0 i1; u2: i2; nothing else leads from u0 to i2 or i3, which tie at zero.
  const std::vector<Interaction> pairs{{0, 0}, {1, 0}, {1, 1}, {2, 2}};
  const Interactions train = Interactions::from_pairs(4, 4, pairs);
  const Interactions* observed[] = {&train};
  EXPECT_EQ(linear_filter_rankings(train, observed, 3),
            (std::vector<NodeId>{1, 2, 3, 2, 3, -1, 0, 1, 3, 0, 1, 2}));
}

TEST(Baselines, EqualDenseComputations) {
  for (std::uint32_t seed = 1; seed <= 3; ++seed) {
    const Dataset data = planted_dataset(60, 40, seed);
    const std::vector<const Interactions*> one{&data.train};
    const std::vector<const Interactions*> two{&data.train, &data.valid};
    for (const auto& observed : {one, two, {}}) {
      for (const std::int64_t k : {1, 7, 40, 45}) {
        expect_ranked_by(popularity_rankings(data.train, observed, k), k,
                         popularity_scores(data.train), observed);
        expect_ranked_by(linear_filter_rankings(data.train, observed, k), k,
                         filter_scores(data.train), observed);
      }
    }
  }
}

TEST(Baselines, AreTheSameForEveryNumberOfThreads) {
  const Dataset data = planted_dataset(300, 80);
  const Interactions* observed[] = {&data.train};
  std::vector<std::vector<NodeId>> popular;
  std::vector<std::vector<NodeId>> filtered;
  for (const int count : {1, 2, 5}) {
    const ThreadLimit limit(count);
    popular.push_back(popularity_rankings(data.train, observed, 10));
    filtered.push_back(linear_filter_rankings(data.train, observed, 10));
  }
  EXPECT_EQ(popular[0], popular[1]);
  EXPECT_EQ(popular[0], popular[2]);
  EXPECT_EQ(filtered[0], filtered[1]);
  EXPECT_EQ(filtered[0], filtered[2]);
}

TEST(Baselines, RefuseShapesThatDoNotFit) {
  const Interactions train = Interactions::from_pairs(3, 4, {});
  const Interactions other = Interactions::from_pairs(3, 5, {});
  const Interactions* observed[] = {&other};
  EXPECT_THROW(popularity_rankings(train, observed, 2), ShapeError);
  EXPECT_THROW(linear_filter_rankings(train, observed, 2), ShapeError);
  EXPECT_THROW(popularity_rankings(train, {}, 0), ShapeError);
  EXPECT_THROW(linear_filter_rankings(train, {}, -1), ShapeError);
}

}  // namespace
}  // namespace tern::test
