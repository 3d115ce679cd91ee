#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "tern/error.hpp"
#include "tern/random.hpp"
#include "tests/support/backends.hpp"
#include "tests/support/compare.hpp"
#include "tests/support/matrices.hpp"

namespace tern::test {
namespace {

using PerturbBegin = RowSum::Begin;

/// r of element i by philox4x32() alone, which random_test.cpp checks against known answers: word
/// i % 4 of block i / 4 in the stream of the place.
double perturb_draw(const PerturbOptions& options, std::uint32_t step, std::uint64_t i) {
  const std::uint64_t index = (std::uint64_t{options.place} << 48) + i / 4;
  const Words counter{{static_cast<std::uint32_t>(index), static_cast<std::uint32_t>(index >> 32),
                       step, static_cast<std::uint32_t>(Purpose::kPerturb) << 24}};
  const Words words = philox4x32(counter, static_cast<std::uint32_t>(options.seed.value),
                                 static_cast<std::uint32_t>(options.seed.value >> 32));
  return (words.word[i % 4] + 1.0) / 0x1p32;
}

/// Rows of a matrix, and a sum, as chosen in a test; null: every row.
struct PerturbRows {
  const std::vector<NodeId>* perturbed = nullptr;
  const std::vector<NodeId>* summed = nullptr;
};

class Perturb : public BackendTest {
 protected:
  Values run(const PerturbOptions& options, std::int64_t step, std::int64_t rows, std::int64_t cols,
             const Values& values) {
    Matrix matrix = make_matrix(backend_, rows, cols, values);
    backend_.perturb(options, backend_.make_counter(step), matrix);
    return values_of(backend_, matrix);
  }

  /// Against the formula, with a sum that begins as given: at zero it holds NaN.
  void check(const PerturbOptions& options, std::int64_t step, std::int64_t rows, std::int64_t cols,
             PerturbRows chosen = {}, PerturbBegin begin = PerturbBegin::kAtSum) {
    if (rows * cols > GetParam().budget) return;
    const auto marks_of = [&](const std::vector<NodeId>* some) {
      return some == nullptr ? std::vector<bool>(rows, true) : marks(rows, *some);
    };
    const auto set_of = [&](const std::vector<NodeId>* some) {
      return some == nullptr ? RowSet() : backend_.make_row_set(static_cast<NodeId>(rows), *some);
    };
    const std::vector<bool> perturbed = marks_of(chosen.perturbed);
    const std::vector<bool> summed = marks_of(chosen.summed);
    const RowSet row_set = set_of(chosen.perturbed);
    const RowSet sum_set = set_of(chosen.summed);
    Values values = random_values(rows * cols, 1);
    for (std::size_t i = 0; i < values.size(); i += 7) values[i] = 0;  // the sign of 0 is 0
    const Values before = random_values(rows * cols, 2);
    constexpr double kWeight = 0.375;

    Matrix matrix = make_matrix(backend_, rows, cols, values);
    Matrix sum = begin == PerturbBegin::kAtZero ? make_poisoned(backend_, rows, cols)
                                                : make_matrix(backend_, rows, cols, before);
    backend_.perturb(options, backend_.make_counter(step), matrix,
                     chosen.perturbed == nullptr ? nullptr : &row_set,
                     {.sum = &sum,
                      .weight = kWeight,
                      .begin = begin,
                      .rows = chosen.summed == nullptr ? nullptr : &sum_set});

    Comparison found{.actual = values_of(backend_, matrix),
                     .expected = values,
                     .magnitude = Values(values.size()),
                     .cols = cols};
    Comparison total{.actual = values_of(backend_, sum),
                     .expected = before,
                     .magnitude = Values(values.size()),
                     .cols = cols};
    if (begin == PerturbBegin::kAtZero) total.written.assign(rows, false);
    for (std::int64_t r = 0; r < rows; ++r) {
      if (!perturbed[r]) continue;  // magnitude 0: equal
      double square = 0;
      for (std::int64_t i = r * cols; i < (r + 1) * cols; ++i) {
        const double draw = perturb_draw(options, static_cast<std::uint32_t>(step), i);
        square += draw * draw;
      }
      if (summed[r] && begin == PerturbBegin::kAtZero) total.written[r] = true;
      for (std::int64_t i = r * cols; i < (r + 1) * cols; ++i) {
        const double noise = options.magnitude / std::sqrt(square) *
                             perturb_draw(options, static_cast<std::uint32_t>(step), i);
        if (values[i] != 0) found.expected[i] += values[i] > 0 ? noise : -noise;
        found.magnitude[i] = std::abs(found.expected[i]);
        if (!summed[r]) continue;
        const double kept = begin == PerturbBegin::kAtZero ? 0 : before[i];
        total.expected[i] = kept + kWeight * found.expected[i];
        total.magnitude[i] = std::abs(kept) + kWeight * found.magnitude[i];
      }
    }
    // The squares of a row are summed; each element of its noise has their error.
    const double factor = summation_factor(static_cast<double>(cols));
    const std::string where = std::to_string(rows) + " x " + std::to_string(cols);
    EXPECT_TRUE(within_bound(found, factor, epsilon())) << where;
    EXPECT_TRUE(within_bound(total, factor, epsilon())) << "the sum, " << where;
  }
};

TEST_P(Perturb, MatchesHandComputation) {
  // One element a row: r / ‖r‖ is 1, whatever was drawn.
  Matrix values = make_matrix(backend_, 4, 1, Values{2, -3, 0, 0.5});
  Matrix sum = make_matrix(backend_, 4, 1, Values{1, 1, 1, 1});
  const std::vector<NodeId> some{0, 1, 2};
  const RowSet rows = backend_.make_row_set(4, some);
  backend_.perturb({.magnitude = 0.25}, backend_.make_counter(3), values, &rows,
                   {.sum = &sum, .weight = 0.5});
  EXPECT_TRUE(same_bits(values_of(backend_, values), {2.25, -3.25, 0, 0.5}));
  EXPECT_TRUE(same_bits(values_of(backend_, sum), {2.125, -0.625, 1, 1}));
}

TEST_P(Perturb, FollowsItsStreamForAnySize) {
  for (const std::int64_t cols :
       {1, 2, 3, 4, 5, 8, 15, 16, 17, 31, 33, 64, 100, 128, 129, 300, 1023, 1024, 1025, 2050}) {
    check({.magnitude = 0.1, .seed = Seed{7}}, 1, 23, cols);
  }
  for (const std::int64_t rows : {1, 2, 63, 64, 65, 257, 1000, 5000}) {
    check({.magnitude = 0.5, .seed = Seed{8}, .place = 3}, 2, rows, 7);
  }
  check({.magnitude = 2, .seed = Seed{9}}, 3, 3001, 67);
  check({.magnitude = 2, .seed = Seed{9}}, 3, 70'001, 1);
}

TEST_P(Perturb, FollowsItsStreamForAnyOptions) {
  for (const double magnitude : {0.0, 1e-9, 0.01, 1.0, 1e6}) {
    check({.magnitude = magnitude, .seed = Seed{1}}, 1, 200, 5);
  }
  for (const std::uint64_t seed : {std::uint64_t{0}, std::uint64_t{1} << 32, ~std::uint64_t{0}}) {
    check({.seed = Seed{seed}}, 1, 40, 5);
  }
  for (const std::uint32_t place : {0u, 1u, 2u, 65'535u}) check({.place = place}, 1, 40, 5);
  for (const std::int64_t step : {std::int64_t{0}, std::int64_t{1}, (std::int64_t{1} << 32) - 1,
                                  (std::int64_t{1} << 32) + 1, std::int64_t{1} << 62}) {
    check({}, step, 40, 5);
  }
}

TEST_P(Perturb, TouchesOnlyTheGivenRows) {
  const std::vector<NodeId> some = random_rows(170, 5, 0.3);
  const std::vector<NodeId> others = random_rows(170, 6, 0.5);
  const std::vector<NodeId> none;
  for (const PerturbBegin begin : {PerturbBegin::kAtSum, PerturbBegin::kAtZero}) {
    for (const std::int64_t cols : {1, 8, 33, 200}) {
      for (const double magnitude : {0.0, 0.3}) {
        const PerturbOptions options{.magnitude = magnitude};
        check(options, 4, 170, cols, {&some, nullptr}, begin);
        check(options, 4, 170, cols, {nullptr, &others}, begin);
        check(options, 4, 170, cols, {&some, &others}, begin);
        check(options, 4, 170, cols, {&none, &others}, begin);
      }
    }
  }
}

TEST_P(Perturb, AddsNoiseOfItsLengthAlongTheSigns) {
  constexpr std::int64_t kRows = 50;
  constexpr std::int64_t kCols = 60;
  const Values values = random_values(kRows * kCols, 4);
  const Values found = run({.magnitude = 0.5, .seed = Seed{3}}, 9, kRows, kCols, values);
  for (std::int64_t r = 0; r < kRows; ++r) {
    double square = 0;
    for (std::int64_t i = r * kCols; i < (r + 1) * kCols; ++i) {
      const double noise = found[i] - values[i];
      EXPECT_GE(noise * values[i], 0) << i;
      square += noise * noise;
    }
    EXPECT_NEAR(std::sqrt(square), 0.5, 1e-4) << r;
  }
}

TEST_P(Perturb, DrawsAnewForEachSeedStepAndPlace) {
  const Values ones(400, 1);
  const PerturbOptions base{.magnitude = 1, .seed = Seed{1}};
  const Values first = run(base, 1, 20, 20, ones);
  EXPECT_TRUE(same_bits(run(base, 1, 20, 20, ones), first));
  PerturbOptions other_seed = base;
  other_seed.seed = Seed{2};
  PerturbOptions other_place = base;
  other_place.place = 1;
  for (const Values& other : {run(base, 2, 20, 20, ones), run(other_seed, 1, 20, 20, ones),
                              run(other_place, 1, 20, 20, ones)}) {
    int equal = 0;
    for (std::size_t i = 0; i < ones.size(); ++i) equal += other[i] == first[i] ? 1 : 0;
    EXPECT_LT(equal, 5);
  }
}

TEST_P(Perturb, KeepsNaNAndTheSignOfZero) {
  const Values found = run({.magnitude = 0.5}, 1, 1, 3, {std::nan(""), -0.0, 0.0});
  EXPECT_TRUE(same_bits(found, {std::nan(""), -0.0, 0.0}));
}

TEST_P(Perturb, FollowsTheCounterInARecordedStep) {
  const PerturbOptions options{.magnitude = 0.4, .seed = Seed{6}};
  Counter step = backend_.make_counter();
  Matrix values = make_matrix(backend_, 9, 11, Values(99, 1));
  const auto recording = backend_.record([&] {
    backend_.increment(step);
    backend_.perturb(options, step, values);
  });
  recording->replay();
  const Values once = values_of(backend_, values);
  EXPECT_TRUE(same_bits(once, run(options, 1, 9, 11, Values(99, 1))));
  recording->replay();
  EXPECT_TRUE(same_bits(values_of(backend_, values), run(options, 2, 9, 11, once)));
}

TEST_P(Perturb, OfNothingIsNothing) {
  for (const auto& [rows, cols] : {std::pair{0, 3}, {3, 0}, {0, 0}}) {
    EXPECT_TRUE(run({.magnitude = 0.5}, 1, rows, cols, {}).empty());
  }
}

TEST_P(Perturb, RefusesImpossibleOptionsAndShapes) {
  const Counter step = backend_.make_counter(1);
  Matrix values = backend_.allocate(2, 2);
  const auto message = [&](const PerturbOptions& options, const RowSum& sum = {}) {
    try {
      backend_.perturb(options, step, values, nullptr, sum);
    } catch (const ConfigError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  const double infinity = std::numeric_limits<double>::infinity();
  for (const double magnitude : {-0.1, std::nan(""), infinity}) {
    EXPECT_THAT(message({.magnitude = magnitude}), testing::HasSubstr("magnitude"));
  }
  EXPECT_THAT(message({.place = 1u << 16}), testing::HasSubstr("place of perturb"));
  EXPECT_EQ(message({.place = (1u << 16) - 1}), "");
  Matrix sum = backend_.allocate(2, 2);
  EXPECT_THAT(message({}, {.sum = &sum, .weight = infinity}), testing::HasSubstr("weight"));
  EXPECT_EQ(message({}, {.sum = &sum}), "");
  Matrix none;
  Matrix foreign = foreign_matrix(2, 2);
  Matrix small = backend_.allocate(2, 1);
  const RowSet other_rows = backend_.make_row_set(3, {});
  EXPECT_THROW(backend_.perturb({}, step, none), ShapeError);
  EXPECT_THROW(backend_.perturb({}, step, foreign), ShapeError);
  EXPECT_THROW(backend_.perturb({}, Counter(), values), ShapeError);
  EXPECT_THROW(backend_.perturb({}, step, values, &other_rows), ShapeError);
  for (Matrix* wrong : {&none, &foreign, &small, &values}) {
    EXPECT_THROW(backend_.perturb({}, step, values, nullptr, {.sum = wrong}), ShapeError);
  }
  EXPECT_THROW(backend_.perturb({}, step, values, nullptr, {.sum = &sum, .rows = &other_rows}),
               ShapeError);
}

INSTANTIATE_TEST_SUITE_P(Backends, Perturb, testing::ValuesIn(backends_under_test()), backend_name);

TEST(PerturbDeterminism, EveryBackendOfAFamilyGivesTheSameBits) {
  std::map<std::string, std::pair<Values, Values>> families;
  const Values values = random_values(700 * 33, 3);
  for (const BackendCase& test : backends_under_test()) {
    const auto backend = test.make();
    Matrix matrix = make_matrix(*backend, 700, 33, values);
    Matrix sum = make_matrix(*backend, 700, 33, values);
    backend->perturb({.magnitude = 0.3, .seed = Seed{3}}, backend->make_counter(1), matrix, nullptr,
                     {.sum = &sum, .weight = 0.7});
    const auto found = std::pair(values_of(*backend, matrix), values_of(*backend, sum));
    const auto [first, is_new] = families.try_emplace(test.family, found);
    if (is_new) continue;
    EXPECT_TRUE(same_bits(found.first, first->second.first)) << test.name;
    EXPECT_TRUE(same_bits(found.second, first->second.second)) << test.name;
  }
}

}  // namespace
}  // namespace tern::test
