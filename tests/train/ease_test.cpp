// EASE: item weights of a ridge regression whose diagonal is held at zero.

#include "host/train/ease.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string_view>
#include <vector>

#include "host/support/parallel.hpp"
#include "tern/error.hpp"
#include "tests/train/planted.hpp"

namespace tern::test {
namespace {

using Square = std::vector<std::vector<double>>;

Square gram_of(const Interactions& train) {
  Square gram(train.num_items(), std::vector<double>(train.num_items(), 0.0));
  for (NodeId user = 0; user < train.num_users(); ++user) {
    for (const NodeId i : train.row(user)) {
      for (const NodeId j : train.row(user)) gram[i][j] += 1.0;
    }
  }
  return gram;
}

/// 4 users, 4 items: RᵀR = [2 1 1 0; 1 2 1 0; 1 1 3 1; 0 0 1 1].
Interactions four_by_four() {
  const std::vector<Interaction> pairs{{0, 0}, {0, 1}, {1, 0}, {1, 2},
                                       {2, 1}, {2, 2}, {3, 2}, {3, 3}};
  return Interactions::from_pairs(4, 4, pairs);
}

// The inverse of RᵀR + I = [3 1 1 0; 1 3 1 0; 1 1 4 1; 0 0 1 2] by cofactors: its determinant is 48.
TEST(Ease, ByHand) {
  const double adjugate[4][4] = {
      {19, -5, -4, 2}, {-5, 19, -4, 2}, {-4, -4, 16, -8}, {2, 2, -8, 28}};
  for (const auto precision : {Ease::Precision::kDouble, Ease::Precision::kSingle}) {
    const Interactions train = four_by_four();
    const Ease ease(train, {.l2 = 1.0}, {}, precision);
    for (int i = 0; i < 4; ++i) {
      for (int j = 0; j < 4; ++j) {
        const double expected = i == j ? 0.0 : -adjugate[i][j] / adjugate[j][j];
        EXPECT_NEAR(ease.weights()[i * 4 + j], expected, 1e-6) << i << ' ' << j;
      }
    }
    // User 0 has items 0 and 1. Item 2: (4 + 4) / 16; item 3: (-2 - 2) / 28.
    std::vector<double> scores(4, 99.0);
    const std::vector<NodeId> items{0, 1};
    const ItemScorer::History histories[] = {items};
    const auto scratch = ease.make_scratch();
    ease.score(histories, *scratch, {scores.data(), 1, 4, 4});
    EXPECT_NEAR(scores[0], 5.0 / 19, 1e-6);
    EXPECT_NEAR(scores[2], 0.5, 1e-6);
    EXPECT_NEAR(scores[3], -4.0 / 28, 1e-6);
  }
}

// The minimum of ‖R - R B‖² + λ ‖B‖² under diag(B) = 0: with multipliers γ,
// (RᵀR + λ I) B = RᵀR - diag(γ). So the gradient off the diagonal is zero, and it alone.
TEST(Ease, IsAMinimumWithZeroDiagonal) {
  const Dataset data = planted_dataset(200, 60);
  const Square gram = gram_of(data.train);
  const std::int64_t n = data.train.num_items();
  for (const double l2 : {0.5, 20.0, 500.0}) {
    const Ease ease(data.train, {.l2 = l2});
    const auto b = [&](std::int64_t i, std::int64_t j) {
      return static_cast<double>(ease.weights()[i * n + j]);
    };
    double greatest_multiplier = 0.0;
    for (std::int64_t i = 0; i < n; ++i) {
      EXPECT_EQ(b(i, i), 0.0);
      for (std::int64_t j = 0; j < n; ++j) {
        double gradient = l2 * b(i, j) - gram[i][j];
        for (std::int64_t m = 0; m < n; ++m) gradient += gram[i][m] * b(m, j);
        if (i == j) {
          greatest_multiplier = std::max(greatest_multiplier, std::abs(gradient));
        } else {
          ASSERT_NEAR(gradient, 0.0, 1e-4) << "l2 " << l2 << " at " << i << ' ' << j;
        }
      }
    }
    EXPECT_GT(greatest_multiplier, 1.0);  // without the constraint, B would be almost I
  }
}

TEST(Ease, IsTheSameInBothPrecisionsUpToRounding) {
  const Dataset data = planted_dataset(400, 300);
  const Ease single(data.train, {}, {}, Ease::Precision::kSingle);
  const Ease whole(data.train, {}, {}, Ease::Precision::kDouble);
  for (std::size_t i = 0; i < single.weights().size(); ++i) {
    ASSERT_NEAR(single.weights()[i], whole.weights()[i], 1e-5);
  }
  EXPECT_EQ(Ease::precision_for(8192), Ease::Precision::kDouble);
  EXPECT_EQ(Ease::precision_for(8193), Ease::Precision::kSingle);
}

TEST(Ease, IsTheSameForEveryNumberOfThreads) {
  const Dataset data = planted_dataset(300, 600);
  const Interactions* observed[] = {&data.train};
  std::vector<std::vector<float>> weights;
  std::vector<std::vector<NodeId>> rankings;
  for (const int threads : {1, 2, 5}) {
    const ThreadLimit limit(threads);
    const Ease ease(data.train, {}, {}, Ease::Precision::kSingle);
    weights.emplace_back(ease.weights().begin(), ease.weights().end());
    rankings.push_back(ease_rankings(data.train, observed, 10));
  }
  EXPECT_EQ(weights[0], weights[1]);
  EXPECT_EQ(weights[0], weights[2]);
  EXPECT_EQ(rankings[0], rankings[1]);
  EXPECT_EQ(rankings[0], rankings[2]);
}

// Users of the planted groups are given their own group's items.
TEST(Ease, RanksItemsOfTheUsersGroupFirst) {
  const Dataset data = planted_dataset(400, 80);
  const Interactions* observed[] = {&data.train};
  const std::vector<NodeId> rankings = ease_rankings(data.train, observed, 3, {.l2 = 50.0});
  int own = 0;
  for (NodeId user = 0; user + 1 < 400; ++user) own += rankings[user * 3] % 4 == user % 4;
  EXPECT_GT(own, 390);
  // Without items all scores are zero: ties by ascending id.
  EXPECT_EQ(std::vector<NodeId>(rankings.end() - 3, rankings.end()),
            (std::vector<NodeId>{0, 1, 2}));
}

TEST(Ease, EndsWhenItsProgressThrows) {
  struct Stop {};
  const Interactions train = four_by_four();
  int calls = 0;
  const auto fit = [&](int last) {
    calls = 0;
    const Ease ease(train, {.l2 = 1.0}, [&](std::string_view) {
      if (++calls == last) throw Stop();
    });
  };
  fit(0);
  const int all = calls;
  ASSERT_GE(all, 3);  // the count of pairs, and steps of the inverse
  for (int last = 1; last <= all; ++last) {
    EXPECT_THROW(fit(last), Stop);
    EXPECT_EQ(calls, last);
  }
}

TEST(Ease, RefusesWhatItCannotDo) {
  const Interactions train = four_by_four();
  EXPECT_THROW(Ease(train, {.l2 = 0.0}), ConfigError);
  EXPECT_THROW(Ease(train, {.l2 = -1.0}), ConfigError);
  EXPECT_THROW(Ease(train, {.l2 = HUGE_VAL}), ConfigError);
  const Interactions many = Interactions::from_pairs(2, kMaxEaseItems + 1, {});
  EXPECT_THROW(ease_rankings(many, {}, 1), ConfigError);
  EXPECT_THROW(ease_rankings(train, {}, 0), ShapeError);
}

}  // namespace
}  // namespace tern::test
