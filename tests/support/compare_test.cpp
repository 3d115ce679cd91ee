#include "tests/support/compare.hpp"

#include <gtest/gtest.h>

#include <limits>

// Every op test relies on the comparer, which must fail on a corrupted result.
namespace tern::test {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kEpsilon = 0x1p-24;

/// A 3x2 result of sums around 1 in which row 1 is not written.
Comparison sound_result() {
  return {.actual = {1, 2, kNan, kNan, 5, 6},
          .expected = {1, 2, 0, 0, 5, 6},
          .magnitude = {1, 2, 1, 1, 5, 6},
          .cols = 2,
          .written = {true, false, true}};
}

bool passes(const Comparison& result) {
  return within_bound(result, 10, kEpsilon);
}

TEST(Compare, AcceptsEqualAndRounded) {
  Comparison result = sound_result();
  EXPECT_TRUE(passes(result));
  result.actual[4] += 9 * kEpsilon * 5;
  EXPECT_TRUE(passes(result));
}

TEST(Compare, CatchesOneElementOff) {
  for (const std::size_t element : {0, 1, 4, 5}) {
    Comparison result = sound_result();
    result.actual[element] += 11 * kEpsilon * result.magnitude[element];
    EXPECT_FALSE(passes(result)) << element;
  }
}

TEST(Compare, CatchesNanAndInfinity) {
  for (const double wrong : {kNan, std::numeric_limits<double>::infinity()}) {
    Comparison result = sound_result();
    result.actual[5] = wrong;
    EXPECT_FALSE(passes(result)) << wrong;
  }
}

TEST(Compare, CatchesUnwrittenRow) {
  Comparison result = sound_result();
  result.actual[0] = result.actual[1] = kNan;  // still poisoned
  EXPECT_FALSE(passes(result));
}

TEST(Compare, CatchesTouchedRow) {
  Comparison result = sound_result();
  result.actual[3] = 0;
  EXPECT_FALSE(passes(result));
}

TEST(Compare, CatchesWrongSizes) {
  Comparison result = sound_result();
  result.actual.pop_back();
  EXPECT_FALSE(passes(result));
  result = sound_result();
  result.written.pop_back();
  EXPECT_FALSE(passes(result));
}

TEST(Compare, AsksForExactZeroWhereNothingIsSummed) {
  Comparison result{.actual = {1e-30}, .expected = {0}, .magnitude = {0}};
  EXPECT_FALSE(passes(result));
  result.actual = {0};
  EXPECT_TRUE(passes(result));
}

TEST(Compare, NamesTheFirstWrongElement) {
  Comparison result = sound_result();
  result.actual[4] = 7;
  result.actual[5] = 7;
  const testing::AssertionResult verdict = within_bound(result, 10, kEpsilon);
  const std::string message = verdict.message();
  EXPECT_NE(message.find("element (2, 0) is 7, expected 5"), std::string::npos) << message;
  EXPECT_NE(message.find("2 of 6 elements are wrong"), std::string::npos) << message;
}

TEST(Compare, SameBitsTellsZerosApart) {
  EXPECT_TRUE(same_bits({1, kNan}, {1, kNan}));
  EXPECT_FALSE(same_bits({0.0}, {-0.0}));
  EXPECT_FALSE(same_bits({1}, {1 + 0x1p-52}));
  EXPECT_FALSE(same_bits({1, 1}, {1}));
}

}  // namespace
}  // namespace tern::test
