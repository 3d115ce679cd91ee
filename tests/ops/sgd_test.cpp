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

class Sgd : public BackendTest {
 protected:
  /// One step from random values against the formula. Rows outside the set also hold numbers and a
  /// gradient that would move them: they must keep every bit.
  void check(const SgdOptions& o, std::int64_t rows, std::int64_t cols,
             const std::vector<NodeId>* chosen) {
    const std::vector<bool> touched =
        chosen != nullptr ? marks(rows, *chosen) : std::vector<bool>(rows, true);
    const auto table = [&](std::uint64_t seed) { return random_values(rows * cols, seed); };
    const Values gradient = table(1);
    const Values parameter = table(2);
    const Values velocity = table(3);
    Matrix values = make_matrix(backend_, rows, cols, parameter);
    SgdState state;
    if (o.momentum != 0) state.velocity = make_matrix(backend_, rows, cols, velocity);
    RowSet set;
    if (chosen != nullptr) set = backend_.make_row_set(static_cast<NodeId>(rows), *chosen);
    backend_.sgd(o, backend_.make_counter(1), make_matrix(backend_, rows, cols, gradient), values,
                 state, chosen != nullptr ? &set : nullptr);

    Comparison of_parameter{.actual = values_of(backend_, values),
                            .expected = Values(parameter.size()),
                            .magnitude = Values(parameter.size()),
                            .cols = cols};
    Comparison of_velocity = of_parameter;
    for (std::size_t i = 0; i < parameter.size(); ++i) {
      if (!touched[i / static_cast<std::size_t>(cols)]) {  // magnitude 0: equal
        of_parameter.expected[i] = parameter[i];
        of_velocity.expected[i] = velocity[i];
        continue;
      }
      const double v = o.momentum * velocity[i] + gradient[i] + o.weight_decay * parameter[i];
      const double v_magnitude = std::abs(o.momentum * velocity[i]) + std::abs(gradient[i]) +
                                 std::abs(o.weight_decay * parameter[i]);
      of_velocity.expected[i] = v;
      of_velocity.magnitude[i] = v_magnitude;
      of_parameter.expected[i] = parameter[i] - o.learning_rate * v;
      of_parameter.magnitude[i] = std::abs(parameter[i]) + o.learning_rate * v_magnitude;
    }
    const std::string where =
        std::to_string(rows) + " x " + std::to_string(cols) + (chosen != nullptr ? ", rows" : "");
    EXPECT_TRUE(within_bound(of_parameter, 8, epsilon())) << where;
    if (o.momentum != 0) {
      of_velocity.actual = values_of(backend_, state.velocity);
      EXPECT_TRUE(within_bound(of_velocity, 8, epsilon())) << where;
    } else {
      EXPECT_TRUE(state.velocity.empty()) << "without momentum the state stays empty";
    }
  }
};

TEST_P(Sgd, MatchesHandComputation) {
  // momentum 1/2, decay 1/4, lr 1/8; all numbers are exact in binary.
  const SgdOptions options{.learning_rate = 0.125, .momentum = 0.5, .weight_decay = 0.25};
  Matrix parameter = make_matrix(backend_, 1, 2, Values{4, -8});
  SgdState state{backend_.allocate(1, 2)};
  const Matrix gradient = make_matrix(backend_, 1, 2, Values{1, 2});
  const Counter step = backend_.make_counter(1);
  backend_.sgd(options, step, gradient, parameter, state);  // v = (1 + 1, 2 - 2)
  EXPECT_TRUE(same_bits(values_of(backend_, state.velocity), {2, 0}));
  EXPECT_TRUE(same_bits(values_of(backend_, parameter), {3.75, -8}));
  backend_.sgd(options, step, gradient, parameter, state);  // v = (1 + 1 + 0.9375, 0)
  EXPECT_TRUE(same_bits(values_of(backend_, state.velocity), {2.9375, 0}));
  EXPECT_TRUE(same_bits(values_of(backend_, parameter), {3.75 - 2.9375 / 8, -8}));
}

TEST_P(Sgd, MatchesTheFormulaOnDenseGradients) {
  for (const std::int64_t cols : {1, 3, 31, 64, 100, 512}) {
    check({}, 67, cols, nullptr);
    check({.momentum = 0.9}, 67, cols, nullptr);
  }
  check({.learning_rate = 0.5, .weight_decay = 0.25}, 40, 33, nullptr);
  check({.learning_rate = 0.5, .momentum = 0.5, .weight_decay = 0.25}, 40, 33, nullptr);
  check({}, 70'001, 1, nullptr);
}

TEST_P(Sgd, TouchesOnlyTheGivenRows) {
  const std::vector<NodeId> some = random_rows(70, 5, 0.3);
  const std::vector<NodeId> many = random_rows(70'001, 6, 0.6);
  const std::vector<NodeId> none;
  for (const double momentum : {0.0, 0.9}) {
    const SgdOptions options{.momentum = momentum, .weight_decay = 0.125};
    for (const std::int64_t cols : {1, 8, 33, 200}) check(options, 70, cols, &some);
    check(options, 9, 3, &none);
    check(options, 70'001, 2, &many);
  }
}

TEST_P(Sgd, RefusesWrongShapesAndOptions) {
  const Counter step = backend_.make_counter(1);
  const Matrix gradient = backend_.allocate(4, 3);
  Matrix parameter = backend_.allocate(4, 3);
  SgdState state;
  SgdState with_velocity{backend_.allocate(4, 3)};
  const SgdOptions heavy{.momentum = 0.9};
  backend_.sgd({}, step, gradient, parameter, state);  // both valid as they are
  backend_.sgd(heavy, step, gradient, parameter, with_velocity);

  Matrix none;
  Matrix foreign = foreign_matrix(4, 3);
  SgdState small{backend_.allocate(3, 3)};
  SgdState foreign_state{foreign_matrix(4, 3)};
  const auto refuses = [&](const SgdOptions& o, const Matrix& g, Matrix& p, SgdState& s,
                           const RowSet* rows) {
    EXPECT_THROW(backend_.sgd(o, step, g, p, s, rows), ShapeError);
  };
  refuses({}, backend_.allocate(3, 4), parameter, state, nullptr);
  refuses({}, none, parameter, state, nullptr);
  refuses({}, foreign, parameter, state, nullptr);
  refuses({}, parameter, parameter, state, nullptr);
  refuses({}, gradient, none, state, nullptr);
  refuses({}, gradient, foreign, state, nullptr);
  refuses(heavy, gradient, parameter, state, nullptr);
  refuses(heavy, gradient, parameter, small, nullptr);
  refuses(heavy, gradient, parameter, foreign_state, nullptr);
  const RowSet other = backend_.make_row_set(5, {});
  const RowSet no_rows;
  const RowSet foreign_rows(std::make_unique<StrangerStorage>(), 4, 4);
  for (const RowSet* rows : {&other, &no_rows, &foreign_rows}) {
    refuses({}, gradient, parameter, state, rows);
  }
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const SgdOptions& options : {SgdOptions{.learning_rate = -1},
                                    SgdOptions{.learning_rate = nan}, SgdOptions{.momentum = -0.5},
                                    SgdOptions{.momentum = nan}, SgdOptions{.weight_decay = -1}}) {
    EXPECT_THROW(backend_.sgd(options, step, gradient, parameter, with_velocity), ConfigError);
  }
}

TEST_P(Sgd, RatesBeyondItsPrecisionDoNotSpoilThePadding) {
  SgdState state;
  Matrix values = make_matrix(backend_, 4, 3, Values(12, 0.0));
  const Matrix gradient = make_matrix(backend_, 4, 3, Values(12, 0.0));
  backend_.sgd({.learning_rate = 1e308, .weight_decay = 1e308}, backend_.make_counter(1), gradient,
               values, state);
  // Uploaded again, the matrix must have clean padding: scores sum over padded rows.
  backend_.upload(std::span<const double>(Values(12, 1.0)), values);
  TopItems top;
  const std::vector<NodeId> first{0};
  backend_.score_topk(values, values, first, {}, 1, top);
  EXPECT_EQ(top.scores[0], 3.0F);
}

INSTANTIATE_TEST_SUITE_P(Backends, Sgd, testing::ValuesIn(backends_under_test()), backend_name);

}  // namespace
}  // namespace tern::test
