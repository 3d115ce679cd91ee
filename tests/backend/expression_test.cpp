// Expressions of a pair's scores, and the interpreter of their programs, against the same formulas written
// in C++, and derivatives against central differences.

#include "tern/expression.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "host/backend/pair_program.hpp"
#include "tern/error.hpp"

namespace tern::test {
namespace {

using testing::HasSubstr;
using Scores = std::vector<double>;

const Expression kP = Expression::positive();
const Expression kN = Expression::negative();

struct PairResult {
  double loss = 0.0;
  double positive = 0.0;
  Scores negatives;
};

PairResult evaluate(const Expression& expression, double positive, const Scores& negatives) {
  const PairProgram program = expression.compile();
  PairScores pair{.positive = positive, .negatives = static_cast<double>(negatives.size())};
  double sums[PairProgram::kMaxSums] = {};
  for (const double s : negatives) {
    pair.negative = s;
    add_pair_terms(program, pair, sums);
  }
  const PairLossSlopes slopes = pair_loss_slopes(program, pair, sums);
  PairResult result{slopes.loss, slopes.positive, {}};
  for (const double s : negatives) {
    pair.negative = s;
    result.negatives.push_back(pair_negative_slope(program, pair, slopes, result.positive));
  }
  return result;
}

double softplus_of(double x) {
  return std::log1p(std::exp(x));
}
double step_of(double x) {
  return x > 0 ? 1.0 : 0.0;
}
double mean_of(const Scores& values, const std::function<double(double)>& f) {
  double sum = 0;
  for (const double value : values) sum += f(value);
  return sum / static_cast<double>(values.size());
}

struct Formula {
  const char* name;
  Expression expression;
  double (*value)(double p, const Scores& n);
};

/// Every function, and the losses of host/loss/README.md.
const std::vector<Formula>& formulas() {
  static const std::vector<Formula> all{
      {"bpr", mean(softplus(kN - kP)),
       [](double p, const Scores& n) {
         return mean_of(n, [p](double s) { return softplus_of(s - p); });
       }},
      {"hinge", mean(max(0.0, 1.0 - kP + kN)),
       [](double p, const Scores& n) {
         return mean_of(n, [p](double s) { return std::max(0.0, 1 - p + s); });
       }},
      {"ccl", 1.0 - kP + 2.5 * mean(max(0.0, kN - 0.3)),
       [](double p, const Scores& n) {
         return 1 - p + 2.5 * mean_of(n, [](double s) { return std::max(0.0, s - 0.3); });
       }},
      {"warp",
       log(1.0 + 79.0 * mean(step(1.0 - kP + kN))) * sum(max(0.0, 1.0 - kP + kN)) /
           max(1.0, sum(step(1.0 - kP + kN))),
       [](double p, const Scores& n) {
         const auto size = static_cast<double>(n.size());
         const double violators = size * mean_of(n, [p](double s) { return step_of(1 - p + s); });
         const double hinge = size * mean_of(n, [p](double s) { return std::max(0.0, 1 - p + s); });
         return std::log(1 + 79 * violators / size) * hinge / std::max(1.0, violators);
       }},
      {"softmax", log(sum(exp(kN / 0.5))) - kP / 0.5,
       [](double p, const Scores& n) {
         const auto size = static_cast<double>(n.size());
         return std::log(size * mean_of(n, [](double s) { return std::exp(s / 0.5); })) - p / 0.5;
       }},
      {"every function",
       sqrt(2.0 + sigmoid(kP)) * min(kP * kP, 3.0) + sum(sigmoid(kN * kP) - min(kN, 0.1)) -
           sum(sqrt(exp(kN) + kP * kP)) / (3.0 + Expression::negatives()),
       [](double p, const Scores& n) {
         const auto sigmoid_of = [](double x) { return 1 / (1 + std::exp(-x)); };
         const auto size = static_cast<double>(n.size());
         return std::sqrt(2 + sigmoid_of(p)) * std::min(p * p, 3.0) +
                size * mean_of(n, [&](double s) { return sigmoid_of(s * p) - std::min(s, 0.1); }) -
                size * mean_of(n, [p](double s) { return std::sqrt(std::exp(s) + p * p); }) /
                    (3 + size);
       }},
  };
  return all;
}

// No margin of a formula is within 0.05 of a score here.
const std::vector<std::pair<double, Scores>> kScores{
    {0.7, {0.45}}, {-0.4, {0.9, -1.2, 0.55}}, {2.3, {1.6, 0.2, -0.7, 1.9, 1.2, 0.5, -2.0}}};

TEST(Expression, HasTheValueOfItsFormula) {
  for (const Formula& formula : formulas()) {
    for (const auto& [positive, negatives] : kScores) {
      EXPECT_NEAR(evaluate(formula.expression, positive, negatives).loss,
                  formula.value(positive, negatives), 1e-14)
          << formula.name << ", M " << negatives.size();
    }
  }
}

TEST(Expression, HasTheDerivativesOfItsFormula) {
  constexpr double kStep = 1e-5;
  for (const Formula& formula : formulas()) {
    for (const auto& [positive, negatives] : kScores) {
      SCOPED_TRACE(formula.name + std::string(", M ") + std::to_string(negatives.size()));
      const PairResult result = evaluate(formula.expression, positive, negatives);
      EXPECT_NEAR(result.positive,
                  (formula.value(positive + kStep, negatives) -
                   formula.value(positive - kStep, negatives)) /
                      (2 * kStep),
                  1e-8);
      for (std::size_t k = 0; k < negatives.size(); ++k) {
        Scores above = negatives;
        Scores below = negatives;
        above[k] += kStep;
        below[k] -= kStep;
        EXPECT_NEAR(result.negatives[k],
                    (formula.value(positive, above) - formula.value(positive, below)) / (2 * kStep),
                    1e-8)
            << "negative " << k;
      }
    }
  }
}

TEST(Expression, TakesTheFirstOfTwoEqualArguments) {
  EXPECT_EQ(evaluate(sum(max(0.0, kN)), 0, {0}).negatives[0], 0);
  EXPECT_EQ(evaluate(sum(max(kN, 0.0)), 0, {0}).negatives[0], 1);
  EXPECT_EQ(evaluate(sum(min(0.0, kN)), 0, {0}).negatives[0], 0);
  EXPECT_EQ(evaluate(sum(min(kN, 0.0)), 0, {0}).negatives[0], 1);
  EXPECT_EQ(evaluate(step(kP), 0, {}).loss, 0);
}

TEST(Expression, StaysFiniteForHugeScores) {
  const PairResult far = evaluate(sum(softplus(kN - kP)), -1e4, {1e4});
  EXPECT_EQ(far.loss, 2e4);
  EXPECT_EQ(far.positive, -1);
  const PairResult near = evaluate(sum(softplus(kN - kP)), 1e4, {-1e4});
  EXPECT_EQ(near.loss, 0);
  EXPECT_EQ(near.positive, 0);
  const double infinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(evaluate(max(kP, infinity), infinity, {}).loss, infinity);
}

TEST(Expression, HasDerivativeZeroByWhatItDoesNotDependOn) {
  for (const Expression& of : {sqrt(sum(max(0.0, 1.0 - kP + kN))),
                               log(1.0 + sum(max(0.0, kN - kP))) / mean(step(kN - kP))}) {
    const PairResult none = evaluate(of, 5, {1, 2});
    EXPECT_EQ(none.positive, 0);
    EXPECT_EQ(none.negatives, (std::vector<double>{0, 0}));
  }
}

TEST(Expression, KeepsNaN) {
  const double nan = std::nan("");
  for (const Expression& of : {max(0.0, kN), max(kN, 0.0), min(0.0, kN), min(kN, 0.0), step(kN),
                               softplus(kN), sigmoid(kN), exp(kN)}) {
    EXPECT_TRUE(std::isnan(evaluate(sum(of), 0, {1, nan}).loss));
  }
}

TEST(Expression, CountsEqualSumsOnce) {
  const Expression violators = sum(step(kN - kP));
  EXPECT_EQ((violators * violators + violators + mean(step(kN - kP))).compile().sums, 1);
}

template <typename F>
std::string refusal_of(const F& f) {
  try {
    f();
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(Expression, RefusesWhatIsNoLossOfAPair) {
  EXPECT_THAT(refusal_of([] { (void)(kN - kP).compile(); }),
              HasSubstr("the score of a negative outside of a sum"));
  EXPECT_THAT(refusal_of([] { (void)sum(kN - mean(kN)); }),
              HasSubstr("a sum over negatives within another one"));
  EXPECT_THAT(
      refusal_of([] { (void)(sum(kN) + sum(exp(kN)) + sum(kN * kN) + sum(sqrt(kN))).compile(); }),
      HasSubstr("4 different sums"));
  EXPECT_THAT(refusal_of([] {
                Expression deep = kP;
                for (int i = 0; i < PairProgram::kMaxDepth; ++i) deep = kP + deep;
                (void)deep.compile();
              }),
              HasSubstr("intermediate values at a time"));
  EXPECT_THAT(refusal_of([] {
                Expression longer = kP;
                for (int i = 0; i < PairProgram::kMaxInstructions / 2; ++i) longer = longer + kP;
                (void)longer.compile();
              }),
              HasSubstr("more than 64"));
  EXPECT_THAT(refusal_of([] {
                Expression power = kP;
                for (int i = 0; i < 60; ++i) power = power * power;
              }),
              HasSubstr("more than 64"));
}

}  // namespace
}  // namespace tern::test
