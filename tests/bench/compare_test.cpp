// The checker of tern-bench on corrupted results: each kind must be found.

#include "bench/support/compare.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "tern/device.hpp"
#include "tern/error.hpp"

namespace tern::test {
namespace {

using ::testing::HasSubstr;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// A table of 1000 rows of 4 values of size 1, of either sign.
std::vector<double> table() {
  std::vector<double> values(4000);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = i % 3 == 0 ? -1.0 : 1.0;
  return values;
}

std::vector<float> rounded(const std::vector<double>& values) {
  return {values.begin(), values.end()};
}

std::string complaint(const std::vector<float>& found, const std::vector<double>& expected) {
  try {
    bench::expect_equal("op", found, expected, 4);
  } catch (const Error& error) {
    return error.what();
  }
  return "none";
}

TEST(Compare, TakesRoundingErrors) {
  std::vector<float> found = rounded(table());
  for (float& value : found) value *= 1.0F + 4e-7F;
  EXPECT_EQ(complaint(found, table()), "none");
}

TEST(Compare, NamesTheFirstWrongElement) {
  std::vector<float> found = rounded(table());
  found[4 * 17 + 2] = 1.25F;
  found[4 * 99 + 3] = 7.0F;
  EXPECT_EQ(complaint(found, table()),
            "op: element (17, 2) is 1.25, expected 1; 2 of 4000 elements are wrong");
}

TEST(Compare, SeesOneElementThatHidesInTheNorm) {
  std::vector<float> found = rounded(table());
  found[4000 - 1] += 3e-4F;  // 5e-6 of the norm of all
  EXPECT_THAT(complaint(found, table()), HasSubstr("element (999, 3)"));
}

TEST(Compare, SeesErrorsThatAreSmallEverywhere) {
  std::vector<float> found = rounded(table());
  for (float& value : found) value += 5e-5F;
  EXPECT_THAT(complaint(found, table()), HasSubstr("relative error 5.0e-05"));
}

TEST(Compare, SmallElementsAreHeldToTheScaleOfAll) {
  std::vector<double> expected = table();
  expected[8] = 1e-9;
  std::vector<float> found = rounded(expected);
  found[8] = -2e-7F;  // cancellation
  EXPECT_EQ(complaint(found, expected), "none");
  found[8] = 1e-3F;
  EXPECT_THAT(complaint(found, expected), HasSubstr("element (2, 0)"));
}

TEST(Compare, WhatIsNotFiniteMustBeTheSame) {
  const std::vector<double> expected = table();
  for (const float wrong : {kNan, kInfinity, -kInfinity}) {
    std::vector<float> found = rounded(expected);
    found[5] = wrong;
    EXPECT_THAT(complaint(found, expected), HasSubstr("element (1, 1)"));
    std::vector<double> marked = expected;
    marked[5] = wrong;
    EXPECT_EQ(complaint(found, marked), "none");
    EXPECT_THAT(complaint(rounded(expected), marked), HasSubstr("element (1, 1) is 1"));
  }
}

TEST(Compare, SizesMustAgree) {
  EXPECT_EQ(complaint(std::vector<float>(8), std::vector<double>(12)),
            "op: 8 elements, expected 12");
  EXPECT_EQ(complaint({}, {}), "none");
}

TEST(Compare, ReadsMatricesOfTwoBackends) {
  const auto cpu = make_cpu_backend(1);
  const auto reference = make_reference_backend();
  Matrix found = cpu->allocate(3, 2);
  Matrix expected = reference->allocate(3, 2);
  cpu->upload(std::vector<float>{1, 2, 3, 4, 5, 6}, found);
  reference->upload(std::vector<double>{1, 2, 3, 4, 5, 6}, expected);
  EXPECT_NO_THROW(bench::expect_equal("op", *cpu, found, *reference, expected));
  reference->upload(std::vector<double>{1, 2, 3, 4, 8, 6}, expected);
  EXPECT_THROW(bench::expect_equal("op", *cpu, found, *reference, expected), Error);
}

}  // namespace
}  // namespace tern::test
