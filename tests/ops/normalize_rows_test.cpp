#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <string>
#include <utility>

#include "tern/error.hpp"
#include "tests/support/backends.hpp"
#include "tests/support/compare.hpp"
#include "tests/support/matrices.hpp"

namespace tern::test {
namespace {

constexpr double kNormWeight = 0.375;

/// Which rows of the sum or the addend count; null: every row.
using NormRows = const std::vector<NodeId>*;

/// f32 values whose rows have lengths from 0 to 1e37, in turn.
Values rows_of_all_lengths(std::int64_t rows, std::int64_t cols, std::uint64_t seed) {
  constexpr double kScales[] = {1, 0, 1e-20, 1e-9, 3e-8, 1e6, 1e15, 1e20, 1e37};
  Values values = random_values(rows * cols, seed);
  for (std::int64_t i = 0; i < rows * cols; ++i) {
    values[i] = static_cast<float>(values[i] * kScales[i / cols % std::size(kScales)]);
  }
  return values;
}

class NormalizeRows : public BackendTest {
 protected:
  /// A matrix of the row's lengths, from the definition, and of what it is divided by.
  struct Lengths {
    Values norms, divisors;
    Lengths(const Values& x, std::int64_t rows, std::int64_t cols) : norms(rows), divisors(rows) {
      for (std::int64_t r = 0; r < rows; ++r) {
        for (std::int64_t c = 0; c < cols; ++c) norms[r] += x[r * cols + c] * x[r * cols + c];
        norms[r] = std::sqrt(norms[r]);
        divisors[r] = norms[r] > 1e-12 ? norms[r] : 1e-12;
      }
    }
  };

  RowSet set_of(std::int64_t rows, NormRows some) {
    return some == nullptr ? RowSet() : backend_.make_row_set(static_cast<NodeId>(rows), *some);
  }

  static std::vector<bool> marks_of_set(std::int64_t rows, NormRows some) {
    return some == nullptr ? std::vector<bool>(rows, true) : marks(rows, *some);
  }

  /// Against the formula, with a sum that begins as given: at zero it holds NaN.
  void check(std::int64_t rows, std::int64_t cols, NormRows some = nullptr,
             RowSum::Begin begin = RowSum::Begin::kAtSum) {
    if (rows * cols > GetParam().budget) return;
    const Values x = rows_of_all_lengths(rows, cols, 1);
    const Values before = random_values(rows * cols, 2);
    const RowSet set = set_of(rows, some);
    const std::vector<bool> summed = marks_of_set(rows, some);
    const bool at_zero = begin == RowSum::Begin::kAtZero;
    const Matrix in = make_matrix(backend_, rows, cols, x);
    Matrix out = make_poisoned(backend_, rows, cols);
    Matrix sum =
        at_zero ? make_poisoned(backend_, rows, cols) : make_matrix(backend_, rows, cols, before);
    backend_.normalize_rows(in, out,
                            {.sum = &sum,
                             .weight = kNormWeight,
                             .begin = begin,
                             .rows = some == nullptr ? nullptr : &set});
    const Lengths lengths(x, rows, cols);
    Comparison unit{.actual = values_of(backend_, out), .expected = x, .magnitude = {}};
    Comparison total{.actual = values_of(backend_, sum), .expected = before, .magnitude = {}};
    unit.cols = total.cols = cols;
    if (at_zero) total.written = summed;
    total.magnitude.resize(x.size());
    for (std::int64_t i = 0; i < rows * cols; ++i) {
      unit.expected[i] /= lengths.divisors[i / cols];
      if (!summed[i / cols]) continue;
      const double kept = at_zero ? 0 : before[i];
      total.expected[i] = kept + kNormWeight * x[i];
      total.magnitude[i] = std::abs(kept) + std::abs(kNormWeight * x[i]);
    }
    unit.magnitude = absolute(unit.expected);
    const std::string where = std::to_string(rows) + " x " + std::to_string(cols);
    EXPECT_TRUE(within_bound(unit, summation_factor(static_cast<double>(cols)), epsilon()))
        << where;
    EXPECT_TRUE(within_bound(total, 8, epsilon())) << "the sum, " << where;
  }

  enum class Place { kApart, kInPlace };

  /// Against the formula; rows of the addend that are not wanted hold NaN.
  void check_backward(std::int64_t rows, std::int64_t cols, Place place = Place::kApart,
                      NormRows some = nullptr) {
    if (rows * cols > GetParam().budget) return;
    const Values x = rows_of_all_lengths(rows, cols, 3);
    const Values grad = random_values(rows * cols, 4);
    const RowSet set = set_of(rows, some);
    const std::vector<bool> wanted = marks_of_set(rows, some);
    const Values addend = poison_rows(random_values(rows * cols, 5), cols, wanted);
    const Matrix in = make_matrix(backend_, rows, cols, x);
    const Matrix added = make_matrix(backend_, rows, cols, addend);
    Matrix grad_y = make_matrix(backend_, rows, cols, grad);
    Matrix apart = make_poisoned(backend_, rows, cols);
    Matrix& grad_x = place == Place::kApart ? apart : grad_y;
    backend_.normalize_rows_backward(
        in, grad_y, grad_x,
        {.matrix = &added, .weight = kNormWeight, .rows = some == nullptr ? nullptr : &set});
    const Lengths lengths(x, rows, cols);
    Comparison found{.actual = values_of(backend_, grad_x),
                     .expected = Values(x.size()),
                     .magnitude = Values(x.size()),
                     .cols = cols};
    for (std::int64_t r = 0; r < rows; ++r) {
      const double divisor = lengths.divisors[r];
      double along = 0;
      double size = 0;
      for (std::int64_t i = r * cols; i < (r + 1) * cols; ++i) {
        along += x[i] / divisor * grad[i];
        size += std::abs(x[i] / divisor * grad[i]);
      }
      if (lengths.norms[r] <= 1e-12) along = size = 0;
      for (std::int64_t i = r * cols; i < (r + 1) * cols; ++i) {
        const double more = wanted[r] ? kNormWeight * addend[i] : 0;
        found.expected[i] = (grad[i] - x[i] / divisor * along) / divisor + more;
        found.magnitude[i] =
            (std::abs(grad[i]) + std::abs(x[i] / divisor) * size) / divisor + std::abs(more);
      }
    }
    // Two sums over a row: that of the norm and that along the row.
    EXPECT_TRUE(within_bound(found, 2 * summation_factor(static_cast<double>(cols)), epsilon()))
        << rows << " x " << cols << (place == Place::kInPlace ? " in place" : "");
  }
};

TEST_P(NormalizeRows, MatchesHandComputation) {
  const Matrix x = make_matrix(backend_, 4, 2, Values{3, 4, 0, 0, -2, 0, 5, 12});
  Matrix y = make_poisoned(backend_, 4, 2);
  Matrix sum = make_matrix(backend_, 4, 2, Values(8, 1));
  const RowSet rows = backend_.make_row_set(4, std::vector<NodeId>{0, 2});
  backend_.normalize_rows(x, y, {.sum = &sum, .weight = 0.5, .rows = &rows});
  const Values expected{0.6, 0.8, 0, 0, -1, 0, 5.0 / 13, 12.0 / 13};
  EXPECT_TRUE(within_bound({.actual = values_of(backend_, y),
                            .expected = expected,
                            .magnitude = absolute(expected),
                            .cols = 2},
                           4, epsilon()));
  EXPECT_TRUE(same_bits(values_of(backend_, sum), {2.5, 3, 1, 1, 0, 1, 1, 1}));
  backend_.normalize_rows(x, y, {.sum = &sum, .weight = 2, .begin = RowSum::Begin::kAtZero});
  EXPECT_TRUE(same_bits(values_of(backend_, sum), {6, 8, 0, 0, -4, 0, 10, 24}));
}

TEST_P(NormalizeRows, GradientMatchesHandComputation) {
  // (1, 0) - 0.6 (0.6, 0.8) = (0.64, -0.48), divided by 5. Along the row nothing is left.
  const Matrix x = make_matrix(backend_, 3, 2, Values{3, 4, 3, 4, 0, -8});
  const Matrix grad_y = make_matrix(backend_, 3, 2, Values{1, 0, 3, 4, 2, 7});
  const Matrix addend = make_matrix(backend_, 3, 2, Values{8, 16, 100, 100, 4, 8});
  const RowSet rows = backend_.make_row_set(3, std::vector<NodeId>{0, 2});
  Matrix grad_x = make_poisoned(backend_, 3, 2);
  backend_.normalize_rows_backward(x, grad_y, grad_x,
                                   {.matrix = &addend, .weight = 0.25, .rows = &rows});
  EXPECT_TRUE(within_bound({.actual = values_of(backend_, grad_x),
                            .expected = {2.128, 3.904, 0, 0, 1.25, 2},
                            .magnitude = {2.3, 4.1, 2, 2, 1.3, 4},
                            .cols = 2},
                           4, epsilon()));
}

TEST_P(NormalizeRows, MatchesTheFormulaForAnySize) {
  for (const std::int64_t cols :
       {1, 2, 3, 4, 5, 8, 15, 16, 17, 31, 33, 64, 100, 128, 129, 300, 512, 1025}) {
    check(29, cols);
    check_backward(29, cols);
    check_backward(29, cols, Place::kInPlace);
  }
  for (const std::int64_t rows : {1, 2, 63, 64, 65, 257, 1000, 5000}) {
    check(rows, 7);
    check_backward(rows, 7);
  }
  check(70'001, 1);
  check_backward(70'001, 1);
}

TEST_P(NormalizeRows, AddsOnlyTheGivenRows) {
  const std::vector<NodeId> some = random_rows(170, 5, 0.3);
  const std::vector<NodeId> none;
  for (const std::int64_t cols : {1, 8, 33, 200}) {
    for (const NormRows rows : {&some, &none, NormRows{}}) {
      check(170, cols, rows);
      check(170, cols, rows, RowSum::Begin::kAtZero);
      check_backward(170, cols, Place::kApart, rows);
      check_backward(170, cols, Place::kInPlace, rows);
    }
  }
}

TEST_P(NormalizeRows, WorksWithoutSumAndAddend) {
  const Matrix x = make_matrix(backend_, 1, 2, Values{0, -4});
  Matrix y = make_poisoned(backend_, 1, 2);
  backend_.normalize_rows(x, y);
  EXPECT_TRUE(same_bits(values_of(backend_, y), {0, -1}));
  Matrix gradient = make_matrix(backend_, 1, 2, Values{8, 8});
  backend_.normalize_rows_backward(x, gradient, gradient);
  EXPECT_TRUE(same_bits(values_of(backend_, gradient), {2, 0}));
}

TEST_P(NormalizeRows, DividesByAConstantBelowTheSmallestNorm) {
  const double tiny = static_cast<float>(1e-20);
  const Matrix x = make_matrix(backend_, 2, 2, Values{tiny, 0, 0, 0});
  Matrix y = make_poisoned(backend_, 2, 2);
  backend_.normalize_rows(x, y);
  const Values unit = values_of(backend_, y);
  EXPECT_NEAR(unit[0] * 1e8, 1, 1e-6);
  EXPECT_TRUE(same_bits({unit[1], unit[2], unit[3]}, {0, 0, 0}));
  Matrix gradient = make_matrix(backend_, 2, 2, Values{1, 2, 3, 0});
  backend_.normalize_rows_backward(x, gradient, gradient);
  const Values expected{1e12, 2e12, 3e12, 0};
  EXPECT_TRUE(within_bound({.actual = values_of(backend_, gradient),
                            .expected = expected,
                            .magnitude = expected,
                            .cols = 2},
                           4, epsilon()));
}

TEST_P(NormalizeRows, KeepsNaNInItsRow) {
  const double nan = std::nan("");
  const Matrix x = make_matrix(backend_, 3, 3, Values{1, nan, 0, 0, 2, 0, 0, 0, 4});
  Matrix y = backend_.allocate(3, 3);
  backend_.normalize_rows(x, y);
  const Values unit = values_of(backend_, y);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(std::isnan(unit[i])) << i;
  EXPECT_TRUE(same_bits({unit.begin() + 3, unit.end()}, {0, 1, 0, 0, 0, 1}));
  Matrix gradient = make_matrix(backend_, 3, 3, Values{1, 1, 1, 2, nan, 2, 8, 8, 8});
  backend_.normalize_rows_backward(x, gradient, gradient);
  const Values found = values_of(backend_, gradient);
  for (const int i : {0, 1, 2, 4}) EXPECT_TRUE(std::isnan(found[i])) << i;
  EXPECT_TRUE(same_bits({found.begin() + 6, found.end()}, {2, 2, 0}));
}

TEST_P(NormalizeRows, OfNothingIsNothing) {
  for (const auto& [rows, cols] : {std::pair{0, 3}, {3, 0}, {0, 0}}) {
    const Matrix x = backend_.allocate(rows, cols);
    Matrix y = backend_.allocate(rows, cols);
    backend_.normalize_rows(x, y);
    backend_.normalize_rows_backward(x, y, y);
    EXPECT_TRUE(values_of(backend_, y).empty());
  }
}

TEST_P(NormalizeRows, RefusesImpossibleShapesAndOptions) {
  const Matrix x = backend_.allocate(2, 2);
  Matrix y = backend_.allocate(2, 2);
  Matrix sum = backend_.allocate(2, 2);
  Matrix none;
  Matrix foreign = foreign_matrix(2, 2);
  Matrix small = backend_.allocate(2, 1);
  const RowSet other_rows = backend_.make_row_set(3, {});
  const RowSet rows = backend_.make_row_set(2, {});
  for (Matrix* wrong : {&none, &foreign, &small}) {
    EXPECT_THROW(backend_.normalize_rows(*wrong, y), ShapeError);
    EXPECT_THROW(backend_.normalize_rows(x, *wrong), ShapeError);
    EXPECT_THROW(backend_.normalize_rows(x, y, {.sum = wrong}), ShapeError);
    EXPECT_THROW(backend_.normalize_rows_backward(*wrong, y, sum), ShapeError);
    EXPECT_THROW(backend_.normalize_rows_backward(x, *wrong, sum), ShapeError);
    EXPECT_THROW(backend_.normalize_rows_backward(x, y, *wrong), ShapeError);
    EXPECT_THROW(backend_.normalize_rows_backward(x, y, sum, {.matrix = wrong}), ShapeError);
  }
  EXPECT_THROW(backend_.normalize_rows(y, y), ShapeError);
  EXPECT_THROW(backend_.normalize_rows(x, y, {.sum = &y}), ShapeError);
  EXPECT_THROW(backend_.normalize_rows(sum, y, {.sum = &sum}), ShapeError);
  EXPECT_THROW(backend_.normalize_rows(x, y, {.rows = &rows}), ShapeError);
  EXPECT_THROW(backend_.normalize_rows(x, y, {.sum = &sum, .rows = &other_rows}), ShapeError);
  EXPECT_THROW(backend_.normalize_rows_backward(y, sum, y), ShapeError);
  EXPECT_THROW(backend_.normalize_rows_backward(x, y, y, {.matrix = &y}), ShapeError);
  EXPECT_THROW(backend_.normalize_rows_backward(x, y, y, {.rows = &rows}), ShapeError);
  EXPECT_THROW(backend_.normalize_rows_backward(x, y, y, {.matrix = &sum, .rows = &other_rows}),
               ShapeError);
  const double infinity = std::numeric_limits<double>::infinity();
  EXPECT_THROW(backend_.normalize_rows(x, y, {.sum = &sum, .weight = infinity}), ConfigError);
  EXPECT_THROW(backend_.normalize_rows_backward(x, y, y, {.matrix = &sum, .weight = std::nan("")}),
               ConfigError);
}

INSTANTIATE_TEST_SUITE_P(Backends, NormalizeRows, testing::ValuesIn(backends_under_test()),
                         backend_name);

TEST(NormalizeRowsDeterminism, EveryBackendOfAFamilyGivesTheSameBits) {
  std::map<std::string, std::pair<Values, Values>> families;
  const Values values = random_values(700 * 33, 3);
  for (const BackendCase& test : backends_under_test()) {
    const auto backend = test.make();
    const Matrix x = make_matrix(*backend, 700, 33, values);
    Matrix y = backend->allocate(700, 33);
    backend->normalize_rows(x, y);
    Matrix gradient = make_matrix(*backend, 700, 33, random_values(700 * 33, 4));
    backend->normalize_rows_backward(x, gradient, gradient, {.matrix = &y, .weight = 0.7});
    const auto found = std::pair(values_of(*backend, y), values_of(*backend, gradient));
    const auto [first, is_new] = families.try_emplace(test.family, found);
    if (is_new) continue;
    EXPECT_TRUE(same_bits(found.first, first->second.first)) << test.name;
    EXPECT_TRUE(same_bits(found.second, first->second.second)) << test.name;
  }
}

}  // namespace
}  // namespace tern::test
