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

using Unit = DropoutOptions::Unit;

/// The random word that decides whether element (or row) i is kept: word i % 4 of block i / 4 in
/// the stream of the place. It is computed by philox4x32() alone, which random_test.cpp checks
/// against known answers.
std::uint32_t word_of(const DropoutOptions& options, std::uint32_t step, std::uint64_t i) {
  const std::uint64_t index = (std::uint64_t{options.place} << 48) + i / 4;
  const Words counter{{static_cast<std::uint32_t>(index), static_cast<std::uint32_t>(index >> 32),
                       step, static_cast<std::uint32_t>(Purpose::kDropout) << 24}};
  return philox4x32(counter, static_cast<std::uint32_t>(options.seed.value),
                    static_cast<std::uint32_t>(options.seed.value >> 32))
      .word[i % 4];
}

bool keeps(const DropoutOptions& options, std::uint32_t step, std::int64_t i) {
  return word_of(options, step, static_cast<std::uint64_t>(i)) >=
         std::nearbyint(options.probability * 0x1p32);
}

class Dropout : public BackendTest {
 protected:
  Values run(const DropoutOptions& options, std::int64_t step, std::int64_t rows, std::int64_t cols,
             const Values& values) {
    Matrix matrix = make_matrix(backend_, rows, cols, values);
    backend_.dropout(options, backend_.make_counter(step), matrix);
    return values_of(backend_, matrix);
  }

  void check(const DropoutOptions& options, std::int64_t step, std::int64_t rows,
             std::int64_t cols) {
    if (rows * cols > GetParam().budget) return;
    const Values values = random_values(rows * cols, 1);
    const auto epoch = static_cast<std::uint32_t>(step);
    const bool by_row = options.unit == Unit::kRow;
    Comparison result{.actual = run(options, step, rows, cols, values),
                      .expected = Values(values.size()),
                      .magnitude = Values(values.size()),
                      .cols = cols};
    for (std::int64_t i = 0; i < rows * cols; ++i) {
      if (!keeps(options, epoch, by_row ? i / cols : i)) continue;  // must be exactly 0
      result.expected[i] = by_row ? values[i] : values[i] / (1 - options.probability);
      result.magnitude[i] = by_row ? 0 : std::abs(result.expected[i]);
    }
    EXPECT_TRUE(within_bound(result, 4, epsilon()))
        << rows << " x " << cols << ", p " << options.probability << (by_row ? ", rows" : "");
  }
};

TEST_P(Dropout, FollowsItsStreamForAnySize) {
  for (const Unit unit : {Unit::kElement, Unit::kRow}) {
    for (const std::int64_t cols : {1, 2, 3, 4, 5, 8, 15, 16, 17, 31, 33, 64, 100, 300}) {
      check({.probability = 0.3, .unit = unit, .seed = Seed{7}}, 1, 23, cols);
    }
    for (const std::int64_t rows : {1, 2, 63, 64, 65, 257, 1000, 5000}) {
      check({.probability = 0.5, .unit = unit, .seed = Seed{8}, .place = 3}, 2, rows, 7);
    }
    check({.probability = 0.5, .unit = unit, .seed = Seed{9}}, 3, 3001, 67);
    check({.probability = 0.5, .unit = unit, .seed = Seed{9}}, 3, 70'001, 1);
  }
}

TEST_P(Dropout, FollowsItsStreamForAnyOptions) {
  for (const Unit unit : {Unit::kElement, Unit::kRow}) {
    for (const double probability : {0.0, 1e-9, 0.01, 0.5, 0.75, 0.99, 1 - 0x1p-30}) {
      check({.probability = probability, .unit = unit, .seed = Seed{1}}, 1, 200, 5);
    }
    for (const std::uint64_t seed : {std::uint64_t{0}, std::uint64_t{1} << 32, ~std::uint64_t{0}}) {
      check({.probability = 0.5, .unit = unit, .seed = Seed{seed}}, 1, 40, 5);
    }
    for (const std::uint32_t place : {0u, 1u, 2u, 65'535u}) {
      check({.probability = 0.5, .unit = unit, .place = place}, 1, 40, 5);
    }
    for (const std::int64_t step : {std::int64_t{0}, std::int64_t{1}, (std::int64_t{1} << 32) - 1,
                                    (std::int64_t{1} << 32) + 1, std::int64_t{1} << 62}) {
      check({.probability = 0.5, .unit = unit}, step, 40, 5);
    }
  }
}

TEST_P(Dropout, AWordEqualToTheThresholdKeeps) {
  // p = word · 2⁻³² is exact in f64. With 21 columns, some elements lie in whole
  // vectors, and the others in the remainder of a loop.
  for (const Unit unit : {Unit::kElement, Unit::kRow}) {
    const std::int64_t cols = unit == Unit::kElement ? 21 : 1;
    DropoutOptions options{.unit = unit, .seed = Seed{11}};
    for (std::int64_t i = 0; i < 42; ++i) {
      const std::uint32_t word = word_of(options, 1, static_cast<std::uint64_t>(i));
      options.probability = word * 0x1p-32;
      EXPECT_NE(run(options, 1, 42 / cols, cols, Values(42, 1))[i], 0) << "element " << i;
      options.probability = (word + 1.0) * 0x1p-32;
      EXPECT_EQ(run(options, 1, 42 / cols, cols, Values(42, 1))[i], 0) << "element " << i;
    }
  }
}

TEST_P(Dropout, KeepsEveryBitWithoutProbability) {
  const Values values{1.5, -0.0, std::nan(""), 0x1p-126, -3e38F, 0.1F};
  for (const Unit unit : {Unit::kElement, Unit::kRow}) {
    EXPECT_TRUE(same_bits(run({.unit = unit}, 1, 2, 3, values), values));
  }
}

TEST_P(Dropout, KeepsOrDropsWholeRows) {
  // Dropped elements become 0, even NaN; kept elements keep every bit, even NaN.
  const DropoutOptions options{.probability = 0.5, .unit = Unit::kRow, .seed = Seed{4}};
  Values values = random_values(60 * 5, 2);
  for (std::size_t i = 0; i < values.size(); i += 5) values[i] = std::nan("");
  const Values found = run(options, 9, 60, 5, values);
  int kept = 0;
  for (std::int64_t r = 0; r < 60; ++r) {
    const bool keeps_row = keeps(options, 9, r);
    kept += keeps_row ? 1 : 0;
    for (std::int64_t i = 5 * r; i < 5 * r + 5; ++i) {
      EXPECT_TRUE(same_bits({found[i]}, {keeps_row ? values[i] : 0.0})) << i;
    }
  }
  EXPECT_GT(kept, 10);
  EXPECT_LT(kept, 50);
}

TEST_P(Dropout, DropsItsShareAndKeepsTheMean) {
  // The bound is five standard deviations of the share of zeros in 20,000 draws.
  constexpr std::int64_t kSize = 20'000;
  for (const double probability : {0.1, 0.5, 0.8}) {
    const Values found =
        run({.probability = probability, .seed = Seed{5}}, 1, 200, 100, Values(kSize, 1));
    double zeros = 0;
    double mean = 0;
    for (const double value : found) {
      zeros += value == 0 ? 1.0 / kSize : 0;
      mean += value / kSize;
    }
    const double bound = 5 * std::sqrt(probability * (1 - probability) / kSize);
    EXPECT_NEAR(zeros, probability, bound);
    EXPECT_NEAR(mean, 1, bound / (1 - probability));
  }
}

TEST_P(Dropout, DrawsAnewForEachSeedStepAndPlace) {
  const Values ones(400, 1);
  const DropoutOptions base{.probability = 0.5, .seed = Seed{1}};
  const Values first = run(base, 1, 20, 20, ones);
  EXPECT_TRUE(same_bits(run(base, 1, 20, 20, ones), first));
  DropoutOptions other_seed = base;
  other_seed.seed = Seed{2};
  DropoutOptions other_place = base;
  other_place.place = 1;
  for (const Values& other : {run(base, 2, 20, 20, ones), run(other_seed, 1, 20, 20, ones),
                              run(other_place, 1, 20, 20, ones)}) {
    int different = 0;
    for (std::size_t i = 0; i < ones.size(); ++i) different += other[i] != first[i] ? 1 : 0;
    EXPECT_NEAR(different, 200, 60);
  }
}

TEST_P(Dropout, FollowsTheCounterInARecordedStep) {
  // With the same count the backward pass drops the same elements.
  const DropoutOptions options{.probability = 0.4, .seed = Seed{6}};
  Counter step = backend_.make_counter();
  Matrix values = make_matrix(backend_, 9, 11, Values(99, 1));
  Matrix gradient = make_matrix(backend_, 9, 11, Values(99, 1));
  const auto recording = backend_.record([&] {
    backend_.increment(step);
    backend_.dropout(options, step, values);
    backend_.dropout(options, step, gradient);
  });
  recording->replay();
  const Values once = values_of(backend_, values);
  EXPECT_TRUE(same_bits(once, run(options, 1, 9, 11, Values(99, 1))));
  EXPECT_TRUE(same_bits(values_of(backend_, gradient), once));
  recording->replay();
  EXPECT_TRUE(same_bits(values_of(backend_, values), run(options, 2, 9, 11, once)));
  EXPECT_EQ(backend_.get(step), 2);
}

TEST_P(Dropout, OfNothingIsNothing) {
  for (const auto& [rows, cols] : {std::pair{0, 3}, {3, 0}, {0, 0}}) {
    for (const Unit unit : {Unit::kElement, Unit::kRow}) {
      EXPECT_TRUE(run({.probability = 0.5, .unit = unit}, 1, rows, cols, {}).empty());
    }
  }
}

TEST_P(Dropout, RefusesImpossibleOptions) {
  const Counter step = backend_.make_counter(1);
  Matrix values = backend_.allocate(2, 2);
  const auto message = [&](const DropoutOptions& options) -> std::string {
    try {
      backend_.dropout(options, step, values);
    } catch (const ConfigError& error) {
      return error.what();
    }
    return "";
  };
  for (const double probability :
       {-0.1, 1.0, 2.0, std::nan(""), std::numeric_limits<double>::infinity()}) {
    EXPECT_THAT(message({.probability = probability}),
                ::testing::HasSubstr("probability of dropout"));
  }
  EXPECT_THAT(message({.place = 1u << 16}), ::testing::HasSubstr("place of dropout"));
  EXPECT_EQ(message({.place = (1u << 16) - 1}), "");
  Matrix none;
  Matrix foreign = foreign_matrix(2, 2);
  EXPECT_THROW(backend_.dropout({}, step, none), ShapeError);
  EXPECT_THROW(backend_.dropout({}, step, foreign), ShapeError);
  EXPECT_THROW(backend_.dropout({}, Counter(), values), ShapeError);
  EXPECT_THROW(backend_.dropout({}, Counter(std::make_unique<StrangerStorage>()), values),
               ShapeError);
}

INSTANTIATE_TEST_SUITE_P(Backends, Dropout, testing::ValuesIn(backends_under_test()), backend_name);

TEST(DropoutDeterminism, EveryBackendOfAFamilyGivesTheSameBits) {
  std::map<std::string, Values> families;
  const Values values = random_values(700 * 33, 3);
  for (const BackendCase& test : backends_under_test()) {
    const auto backend = test.make();
    Matrix matrix = make_matrix(*backend, 700, 33, values);
    backend->dropout({.probability = 0.3, .seed = Seed{3}}, backend->make_counter(1), matrix);
    const Values found = values_of(*backend, matrix);
    const auto [first, is_new] = families.try_emplace(test.family, found);
    EXPECT_TRUE(is_new || same_bits(found, first->second)) << test.name;
  }
}

}  // namespace
}  // namespace tern::test
