// GF-CF against its definition in dense f64, with singular vectors by Jacobi's method.

#include "host/train/graph_filter.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "host/support/parallel.hpp"
#include "host/train/singular_vectors.hpp"
#include "tern/error.hpp"
#include "tests/train/planted.hpp"

namespace tern::test {
namespace {

using Rows = std::vector<std::vector<double>>;

/// R̃, (U, I).
Rows normalized(const Interactions& train) {
  const std::vector<double> users = inverse_roots(train);
  const std::vector<double> items = inverse_roots(train.transposed());
  Rows rows(train.num_users(), std::vector<double>(train.num_items(), 0.0));
  for (NodeId user = 0; user < train.num_users(); ++user) {
    for (const NodeId item : train.row(user)) rows[user][item] = users[user] * items[item];
  }
  return rows;
}

struct DenseSingular {
  std::vector<double> values;  // descending
  Rows vectors;                // right ones, each of I numbers
};

/// One-sided Jacobi: rotates pairs of columns of R̃ until all are orthogonal; their norms are then the
/// singular values, and the rotations' product the right vectors.
DenseSingular jacobi(const Rows& matrix) {
  const std::size_t items = matrix[0].size();
  Rows columns(items, std::vector<double>(matrix.size()));
  Rows vectors(items, std::vector<double>(items, 0.0));
  for (std::size_t i = 0; i < items; ++i) {
    vectors[i][i] = 1.0;
    for (std::size_t u = 0; u < matrix.size(); ++u) columns[i][u] = matrix[u][i];
  }
  const auto dot = [](const std::vector<double>& a, const std::vector<double>& b) {
    return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
  };
  for (bool rotated = true; rotated;) {
    rotated = false;
    for (std::size_t i = 0; i < items; ++i) {
      for (std::size_t j = i + 1; j < items; ++j) {
        const double ii = dot(columns[i], columns[i]), jj = dot(columns[j], columns[j]);
        const double ij = dot(columns[i], columns[j]);
        if (std::abs(ij) <= 1e-15 * std::sqrt(ii * jj) + 1e-300) continue;
        rotated = true;
        const double zeta = (jj - ii) / (2.0 * ij);
        const double t = std::copysign(1.0, zeta) / (std::abs(zeta) + std::hypot(1.0, zeta));
        const double c = 1.0 / std::hypot(1.0, t), s = c * t;
        for (Rows* rows : {&columns, &vectors}) {
          for (std::size_t r = 0; r < (*rows)[i].size(); ++r) {
            const double old = (*rows)[i][r];
            (*rows)[i][r] = c * old - s * (*rows)[j][r];
            (*rows)[j][r] = s * old + c * (*rows)[j][r];
          }
        }
      }
    }
  }
  std::vector<std::size_t> order(items);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, [&](std::size_t i, std::size_t j) {
    return dot(columns[i], columns[i]) > dot(columns[j], columns[j]);
  });
  DenseSingular result;
  for (const std::size_t i : order) {
    result.values.push_back(std::sqrt(dot(columns[i], columns[i])));
    result.vectors.push_back(vectors[i]);
  }
  return result;
}

/// R R̃ᵀR̃ + α R D_i^-½ V Vᵀ D_i^½ by its definition.
Rows dense_scores(const Interactions& train, const DenseSingular& singular, int rank,
                  double alpha) {
  const Rows r = normalized(train);
  const std::vector<double> scales = inverse_roots(train.transposed());
  const std::size_t items = r[0].size();
  Rows filter(items, std::vector<double>(items, 0.0));
  for (std::size_t i = 0; i < items; ++i) {
    for (std::size_t j = 0; j < items; ++j) {
      for (const auto& row : r) filter[i][j] += row[i] * row[j];
      if (scales[i] == 0.0 || scales[j] == 0.0) continue;
      for (int d = 0; d < rank; ++d) {
        filter[i][j] +=
            alpha * scales[i] * singular.vectors[d][i] * singular.vectors[d][j] / scales[j];
      }
    }
  }
  Rows scores(r.size(), std::vector<double>(items, 0.0));
  for (NodeId user = 0; user < train.num_users(); ++user) {
    for (const NodeId item : train.row(user)) {
      for (std::size_t j = 0; j < items; ++j) scores[user][j] += filter[item][j];
    }
  }
  return scores;
}

Rows scores_of(const ItemScorer& scorer, const Interactions& train) {
  Rows scores;
  const auto scratch = scorer.make_scratch();
  const std::int64_t items = train.num_items();
  for (NodeId user = 0; user < train.num_users(); ++user) {
    const ItemScorer::History histories[] = {train.row(user)};
    scores.emplace_back(static_cast<std::size_t>(items), 99.0);
    scorer.score(histories, *scratch, {scores.back().data(), 1, items, items});
  }
  return scores;
}

SingularVectors vectors_of(const Interactions& train, const SingularOptions& options) {
  const Interactions by_item = train.transposed();
  return singular_vectors(train, by_item, inverse_roots(train), inverse_roots(by_item), options);
}

TEST(SingularVectors, ByHand) {
  // A user with both items: R̃ = [1/√2 1/√2]; another with an item of its own: 1.
  const std::vector<Interaction> pairs{{0, 0}, {0, 1}, {1, 2}};
  const SingularVectors found = vectors_of(Interactions::from_pairs(3, 4, pairs), {});
  ASSERT_EQ(found.rank, 2);
  EXPECT_NEAR(found.values[0], 1.0, 1e-14);
  EXPECT_NEAR(found.values[1], 1.0, 1e-14);
  for (std::int64_t d = 0; d < 2; ++d) {
    EXPECT_NEAR(found.items[0 * 2 + d], found.items[1 * 2 + d], 1e-14);
    EXPECT_NEAR(found.items[3 * 2 + d], 0.0, 1e-14);
  }
  EXPECT_EQ(vectors_of(Interactions::from_pairs(3, 4, {}), {}).rank, 0);
}

// The rank exceeds what R̃ has; the block is narrower than I, or wider than U.
TEST(SingularVectors, EqualJacobis) {
  struct Shape {
    NodeId users, items;
    int rank;
  };
  for (const auto& [users, items, rank] :
       {Shape{120, 80, 256}, Shape{30, 80, 256}, Shape{120, 80, 20}, Shape{300, 160, 40}}) {
    const Dataset data = planted_dataset(users, items);
    const DenseSingular expected = jacobi(normalized(data.train));
    const SingularVectors found = vectors_of(data.train, {.rank = rank});
    EXPECT_TRUE(found.settled);
    const auto nonzero = std::ranges::count_if(expected.values, [](double v) { return v > 1e-6; });
    ASSERT_EQ(found.rank, std::min<std::int64_t>(rank, nonzero)) << users << ' ' << items;
    for (std::int64_t d = 0; d < found.rank; ++d) {
      ASSERT_NEAR(found.values[d], expected.values[d], 1e-7) << d << " of " << found.rank;
    }
  }
}

// Values that fall slowly. With plain power steps, or with another polynomial, none of these settles.
TEST(SingularVectors, SettleInFewRounds) {
  const Dataset data = planted_dataset(900, 700);
  const SingularVectors found = vectors_of(data.train, {.rank = 30, .max_rounds = 9});
  EXPECT_TRUE(found.settled) << found.rounds;
  EXPECT_GT(found.values.back(), 0.5 * found.values[4]);  // beyond the planted groups
}

TEST(SingularVectors, ReportTheirRoundBeforeEachProduct) {
  struct Stop {};
  const Interactions train = Interactions::from_pairs(
      6, 5,
      std::vector<Interaction>{{0, 0}, {1, 0}, {1, 1}, {2, 2}, {3, 3}, {4, 3}, {5, 4}, {5, 0}});
  const Interactions by_item = train.transposed();
  std::vector<int> rounds;
  const auto find = [&](std::size_t last) {
    rounds.clear();
    return singular_vectors(train, by_item, inverse_roots(train), inverse_roots(by_item),
                            {.rank = 3}, [&](int round) {
                              rounds.push_back(round);
                              if (rounds.size() == last) throw Stop();
                            });
  };
  const int found = find(0).rounds;
  const std::vector<int> all = rounds;
  EXPECT_TRUE(std::ranges::is_sorted(all));
  EXPECT_EQ(all.front(), 1);
  EXPECT_EQ(all.back(), found);
  EXPECT_GE(all.size(), static_cast<std::size_t>(3 * found));
  EXPECT_THROW(find(all.size()), Stop);
}

TEST(GfCf, EqualsItsDefinition) {
  for (const int rank : {1, 5, 20, 256}) {
    const Dataset data = planted_dataset(90, 60);
    const DenseSingular singular = jacobi(normalized(data.train));
    const auto all =
        static_cast<int>(std::ranges::count_if(singular.values, [](double v) { return v > 1e-6; }));
    const Rows expected = dense_scores(data.train, singular, std::min(rank, all), 0.7);
    const Rows found = scores_of(GfCf(data.train, {.rank = rank, .alpha = 0.7}, {}), data.train);
    for (std::size_t user = 0; user < expected.size(); ++user) {
      for (std::size_t item = 0; item < expected[user].size(); ++item) {
        ASSERT_NEAR(found[user][item], expected[user][item], 2e-5) << "rank " << rank;
      }
    }
  }
}

TEST(GfCf, WithoutLowPassIsTheLinearFilterOfPlainRows) {
  // User 0: item 0. Rows of R̃ᵀR̃ with degrees 2, 1, 1: item 1 gets 1/2 · 1/√2 through user 1.
  const std::vector<Interaction> pairs{{0, 0}, {1, 0}, {1, 1}, {2, 2}};
  const Interactions train = Interactions::from_pairs(3, 4, pairs);
  const Rows found = scores_of(GfCf(train, {.rank = 4, .alpha = 0.0}, {}), train);
  EXPECT_NEAR(found[0][0], 0.5 + 0.25, 1e-15);
  EXPECT_NEAR(found[0][1], 0.5 / std::sqrt(2.0), 1e-15);
  EXPECT_EQ(found[0][2], 0.0);
  EXPECT_EQ(found[0][3], 0.0);
}

TEST(GfCf, ScoresAHistoryAloneAsAmongOthers) {
  const Dataset data = planted_dataset(17, 80);
  const GfCf filter(data.train, {.rank = 20}, {});
  const Rows alone = scores_of(filter, data.train);
  std::vector<ItemScorer::History> histories;
  for (NodeId user = 16; user > 0; --user) histories.push_back(data.train.row(user));
  std::vector<double> scores(16 * 80);
  const auto scratch = filter.make_scratch();
  filter.score(histories, *scratch, {scores.data(), 16, 80, 80});
  for (std::size_t h = 0; h < 16; ++h) {
    for (std::size_t item = 0; item < 80; ++item) {
      ASSERT_EQ(scores[h * 80 + item], alone[16 - h][item]);
    }
  }
}

TEST(GfCf, IsTheSameForEveryNumberOfThreads) {
  const Dataset data = planted_dataset(900, 700);
  std::vector<Rows> scores;
  std::vector<std::vector<NodeId>> rankings;
  const Interactions* observed[] = {&data.train};
  for (const int threads : {1, 2, 5}) {
    const ThreadLimit limit(threads);
    scores.push_back(scores_of(GfCf(data.train, {.rank = 30}, {}), data.train));
    rankings.push_back(gf_cf_rankings(data.train, observed, 10, {.rank = 30}));
  }
  EXPECT_EQ(scores[0], scores[1]);
  EXPECT_EQ(scores[0], scores[2]);
  EXPECT_EQ(rankings[0], rankings[1]);
  EXPECT_EQ(rankings[0], rankings[2]);
}

TEST(GfCf, RefusesOptionsOutOfRange) {
  const Interactions train = Interactions::from_pairs(2, 2, {});
  EXPECT_THROW(gf_cf_rankings(train, {}, 1, {.rank = 0}), ConfigError);
  EXPECT_THROW(gf_cf_rankings(train, {}, 1, {.alpha = -0.1}), ConfigError);
  EXPECT_THROW(gf_cf_rankings(train, {}, 0), ShapeError);
  EXPECT_EQ(gf_cf_rankings(train, {}, 1), (std::vector<NodeId>{0, 0}));
  EXPECT_EQ(ease_rankings(train, {}, 1), (std::vector<NodeId>{0, 0}));
}

}  // namespace
}  // namespace tern::test
