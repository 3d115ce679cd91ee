#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

#include "tern/error.hpp"
#include "tests/support/backends.hpp"
#include "tests/support/compare.hpp"
#include "tests/support/matrices.hpp"

namespace tern::test {
namespace {

/// One step of the formula on one element, with Σ|terms| for each value.
struct Element {
  double parameter = 0;
  double first = 0;
  double second = 0;
  double parameter_magnitude = 0;
  double first_magnitude = 0;
};

Element step_of(const AdamOptions& o, std::int64_t t, double gradient, Element e) {
  const double g = gradient + o.weight_decay * e.parameter;
  const double g_magnitude = std::abs(gradient) + std::abs(o.weight_decay * e.parameter);
  Element next;
  next.first = o.beta1 * e.first + (1 - o.beta1) * g;
  next.first_magnitude = o.beta1 * std::abs(e.first) + (1 - o.beta1) * g_magnitude;
  next.second = o.beta2 * e.second + (1 - o.beta2) * g * g;
  const double rate = o.learning_rate / (1 - std::pow(o.beta1, t));
  const double root = std::sqrt(next.second / (1 - std::pow(o.beta2, t))) + o.epsilon;
  next.parameter = e.parameter - rate * next.first / root;
  next.parameter_magnitude = std::abs(e.parameter) + rate * next.first_magnitude / root;
  return next;
}

class Adam : public BackendTest {
 protected:
  AdamState zero_state(std::int64_t rows, std::int64_t cols) {
    return {backend_.allocate(rows, cols), backend_.allocate(rows, cols)};
  }

  /// One step from random values against the formula. Rows outside the set also hold numbers and a
  /// gradient that would move them: they must keep every bit.
  void check(const AdamOptions& options, std::int64_t t, std::int64_t rows, std::int64_t cols,
             const std::vector<NodeId>* chosen) {
    const std::vector<bool> touched =
        chosen != nullptr ? marks(rows, *chosen) : std::vector<bool>(rows, true);
    const auto table = [&](std::uint64_t seed) { return random_values(rows * cols, seed); };
    const Values gradient = table(1);
    const Values parameter = table(2);
    const Values first = table(3);
    const Values second = absolute(table(4));
    Matrix values = make_matrix(backend_, rows, cols, parameter);
    AdamState state{make_matrix(backend_, rows, cols, first),
                    make_matrix(backend_, rows, cols, second)};
    RowSet set;
    if (chosen != nullptr) {
      set = backend_.make_row_set(static_cast<NodeId>(rows), *chosen);
      state.row_steps = backend_.make_row_steps(rows);
      backend_.set(state.row_steps, t - 1);
    }
    backend_.adam(options, backend_.make_counter(t), make_matrix(backend_, rows, cols, gradient),
                  values, state, chosen != nullptr ? &set : nullptr);

    Comparison of_parameter{.actual = values_of(backend_, values),
                            .expected = Values(parameter.size()),
                            .magnitude = Values(parameter.size()),
                            .cols = cols};
    Comparison of_first = of_parameter;
    Comparison of_second = of_parameter;
    of_first.actual = values_of(backend_, state.first_moment);
    of_second.actual = values_of(backend_, state.second_moment);
    for (std::size_t i = 0; i < parameter.size(); ++i) {
      if (!touched[i / static_cast<std::size_t>(cols)]) {  // magnitude 0: equal
        of_parameter.expected[i] = parameter[i];
        of_first.expected[i] = first[i];
        of_second.expected[i] = second[i];
        continue;
      }
      const Element e = step_of(options, t, gradient[i], {parameter[i], first[i], second[i]});
      of_parameter.expected[i] = e.parameter;
      of_parameter.magnitude[i] = e.parameter_magnitude;
      of_first.expected[i] = e.first;
      of_first.magnitude[i] = e.first_magnitude;
      of_second.expected[i] = of_second.magnitude[i] = e.second;
      // g itself cancels before it is squared.
      const double g = std::abs(gradient[i]) + std::abs(options.weight_decay * parameter[i]);
      of_second.magnitude[i] += (1 - options.beta2) * g * g;
    }
    const std::string where = std::to_string(rows) + " x " + std::to_string(cols) + ", t " +
                              std::to_string(t) + (chosen != nullptr ? ", rows" : "");
    EXPECT_TRUE(within_bound(of_first, 8, epsilon())) << where;
    EXPECT_TRUE(within_bound(of_second, 8, epsilon())) << where;
    EXPECT_TRUE(within_bound(of_parameter, 16, epsilon())) << where;
  }
};

TEST_P(Adam, MatchesHandComputation) {
  // β1 = β2 = 1/2, lr = 1, ε = 0. t = 1, g = 3: m = 1.5, v = 4.5, step = 2·1.5 / sqrt(9) = 1.
  // t = 2, g = 0: m = 0.75, v = 2.25, step = 0.75/(3/4) / sqrt(2.25/(3/4)) = 1 / sqrt 3.
  const AdamOptions options{.learning_rate = 1, .beta1 = 0.5, .beta2 = 0.5, .epsilon = 0};
  Matrix parameter = make_matrix(backend_, 1, 1, Values{10});
  AdamState state = zero_state(1, 1);
  Counter step = backend_.make_counter();
  backend_.increment(step);
  backend_.adam(options, step, make_matrix(backend_, 1, 1, Values{3}), parameter, state);
  EXPECT_NEAR(values_of(backend_, parameter)[0], 9, 32 * epsilon() * 10);
  EXPECT_EQ(values_of(backend_, state.first_moment)[0], 1.5);
  EXPECT_EQ(values_of(backend_, state.second_moment)[0], 4.5);
  backend_.increment(step);
  backend_.adam(options, step, make_matrix(backend_, 1, 1, Values{0}), parameter, state);
  EXPECT_NEAR(values_of(backend_, parameter)[0], 9 - 1 / std::sqrt(3.0), 32 * epsilon() * 10);
}

TEST_P(Adam, FirstStepMovesEachElementByTheLearningRate) {
  // m̂ / sqrt(v̂) = g / |g| at t = 1, whatever the size of the gradient.
  Matrix parameter = backend_.allocate(1, 4);
  AdamState state = zero_state(1, 4);
  const Matrix gradient = make_matrix(backend_, 1, 4, Values{1e-3, -2, 50, 0});
  backend_.adam({.learning_rate = 0.125}, backend_.make_counter(1), gradient, parameter, state);
  const Values expected{-0.125, 0.125, -0.125, 0};
  const Values actual = values_of(backend_, parameter);
  for (int i = 0; i < 4; ++i) EXPECT_NEAR(actual[i], expected[i], 2e-6);
}

TEST_P(Adam, MatchesTheFormulaOnDenseGradients) {
  for (const std::int64_t cols : {1, 3, 31, 64, 100, 512}) {
    for (const std::int64_t t : {1, 2, 1000}) check({}, t, 67, cols, nullptr);
  }
  check({.weight_decay = 0.25}, 3, 40, 33, nullptr);
  check({.learning_rate = 0.1, .beta1 = 0, .beta2 = 0.5, .epsilon = 1e-3}, 7, 40, 16, nullptr);
  check({}, 1'000'000'000, 5, 8, nullptr);
  check({}, 5, 70'001, 1, nullptr);
}

TEST_P(Adam, TouchesOnlyTheGivenRows) {
  for (const std::int64_t cols : {1, 8, 33, 200}) {
    const std::vector<NodeId> some = random_rows(70, 5, 0.3);
    check({.weight_decay = 0.125}, 4, 70, cols, &some);
  }
  const std::vector<NodeId> none;
  check({}, 1, 9, 3, &none);
  const std::vector<NodeId> many = random_rows(70'001, 6, 0.6);
  check({}, 2, 70'001, 2, &many);
}

TEST_P(Adam, FollowsTheFormulaOverManySteps) {
  const AdamOptions options{.learning_rate = 0.01, .weight_decay = 0.01};
  constexpr int kSteps = 50;
  const Values start = random_values(12, 1);
  std::vector<Element> expected(12);
  for (std::size_t i = 0; i < 12; ++i) expected[i].parameter = start[i];
  Matrix parameter = make_matrix(backend_, 4, 3, start);
  AdamState state = zero_state(4, 3);
  Counter step = backend_.make_counter();
  for (int t = 1; t <= kSteps; ++t) {
    const Values gradient = random_values(12, 100 + static_cast<std::uint64_t>(t));
    backend_.increment(step);
    backend_.adam(options, step, make_matrix(backend_, 4, 3, gradient), parameter, state);
    for (std::size_t i = 0; i < 12; ++i)
      expected[i] = step_of(options, t, gradient[i], expected[i]);
  }
  const Values actual = values_of(backend_, parameter);
  for (std::size_t i = 0; i < 12; ++i) {
    EXPECT_NEAR(actual[i], expected[i].parameter, kSteps * 16 * epsilon());
  }
}

TEST_P(Adam, StaysFiniteOnZeroGradients) {
  Matrix parameter = make_matrix(backend_, 2, 2, Values{1, -2, 3, 0});
  AdamState state = zero_state(2, 2);
  backend_.adam({}, backend_.make_counter(1), backend_.allocate(2, 2), parameter, state);
  EXPECT_TRUE(same_bits(values_of(backend_, parameter), {1, -2, 3, 0}));
}

TEST_P(Adam, RefusesWrongShapesAndOptions) {
  const Counter step = backend_.make_counter(1);
  const Matrix gradient = backend_.allocate(4, 3);
  Matrix parameter = backend_.allocate(4, 3);
  AdamState state = zero_state(4, 3);
  backend_.adam({}, step, gradient, parameter, state);  // valid as it is

  Matrix none;
  Matrix foreign = foreign_matrix(4, 3);
  AdamState small = zero_state(4, 2);
  AdamState no_state;
  AdamState foreign_state{foreign_matrix(4, 3), foreign_matrix(4, 3)};
  const auto refuses = [&](const Counter& c, const Matrix& g, Matrix& p, AdamState& s,
                           const RowSet* rows) {
    EXPECT_THROW(backend_.adam({}, c, g, p, s, rows), ShapeError);
  };
  refuses(step, backend_.allocate(3, 4), parameter, state, nullptr);
  refuses(step, none, parameter, state, nullptr);
  refuses(step, foreign, parameter, state, nullptr);
  refuses(step, parameter, parameter, state, nullptr);
  refuses(step, gradient, none, state, nullptr);
  refuses(step, gradient, foreign, state, nullptr);
  refuses(step, gradient, parameter, small, nullptr);
  refuses(step, gradient, parameter, no_state, nullptr);
  refuses(step, gradient, parameter, foreign_state, nullptr);
  refuses(Counter(), gradient, parameter, state, nullptr);
  refuses(Counter(std::make_unique<StrangerStorage>()), gradient, parameter, state, nullptr);
  const RowSet other = backend_.make_row_set(5, {});
  const RowSet no_rows;
  const RowSet foreign_rows(std::make_unique<StrangerStorage>(), 4, 4);
  state.row_steps = backend_.make_row_steps(4);
  refuses(step, gradient, parameter, state, &other);
  refuses(step, gradient, parameter, state, &no_rows);
  refuses(step, gradient, parameter, state, &foreign_rows);
  state.row_steps = {};

  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const AdamOptions& options :
       {AdamOptions{.learning_rate = -1}, AdamOptions{.learning_rate = nan},
        AdamOptions{.beta1 = 1}, AdamOptions{.beta1 = -0.1}, AdamOptions{.beta2 = 1},
        AdamOptions{.beta2 = nan}, AdamOptions{.epsilon = -1e-8},
        AdamOptions{.weight_decay = -1}}) {
    EXPECT_THROW(backend_.adam(options, step, gradient, parameter, state), ConfigError);
  }
}

TEST_P(Adam, RatesBeyondItsPrecisionDoNotSpoilThePadding) {
  AdamState state{backend_.allocate(4, 3), backend_.allocate(4, 3)};
  Matrix values = make_matrix(backend_, 4, 3, Values(12, 0.0));
  const Matrix gradient = make_matrix(backend_, 4, 3, Values(12, 0.0));
  backend_.adam({.learning_rate = 1e308, .weight_decay = 1e308}, backend_.make_counter(1), gradient,
                values, state);
  // Uploaded again, the matrix must have clean padding: scores sum over padded rows.
  backend_.upload(std::span<const double>(Values(12, 1.0)), values);
  TopItems top;
  const std::vector<NodeId> first{0};
  backend_.score_topk(values, values, first, {}, 1, top);
  EXPECT_EQ(top.scores[0], 3.0F);
}

INSTANTIATE_TEST_SUITE_P(Backends, Adam, testing::ValuesIn(backends_under_test()), backend_name);

}  // namespace
}  // namespace tern::test
