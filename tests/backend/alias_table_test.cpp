#include "tern/alias_table.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "tern/error.hpp"
#include "tern/random.hpp"
#include "tests/support/chi_square.hpp"

namespace tern::test {
namespace {

using Degrees = std::vector<std::int64_t>;

/// The exact distribution of a table's draws, from its cells.
std::vector<double> law_of(const AliasTable& table) {
  const auto n = static_cast<double>(table.threshold.size());
  std::vector<double> law(table.threshold.size(), 0);
  for (std::size_t cell = 0; cell < law.size(); ++cell) {
    const double kept = table.threshold[cell] * 0x1p-32;
    law[cell] += kept / n;
    law[table.alias[cell]] += (1 - kept) / n;
  }
  return law;
}

std::vector<double> wanted_law(const Degrees& degrees, double exponent) {
  std::vector<double> law;
  double total = 0;
  for (const std::int64_t degree : degrees) {
    law.push_back(degree == 0 ? 0 : std::pow(static_cast<double>(degree), exponent));
    total += law.back();
  }
  for (double& p : law) p /= total;
  return law;
}

void expect_law(const Degrees& degrees, double exponent) {
  const AliasTable table = make_alias_table(degrees, exponent);
  ASSERT_EQ(table.threshold.size(), degrees.size());
  ASSERT_EQ(table.alias.size(), degrees.size());
  for (const NodeId alias : table.alias) {
    ASSERT_GE(alias, 0);
    ASSERT_LT(alias, static_cast<NodeId>(degrees.size()));
    EXPECT_GT(degrees[alias], 0) << "an item without interactions must never be drawn";
  }
  const std::vector<double> actual = law_of(table);
  const std::vector<double> expected = wanted_law(degrees, exponent);
  for (std::size_t i = 0; i < degrees.size(); ++i) {
    // Every cell rounds by at most 2⁻³² of 1/n, and an item may be the alias of all of them.
    EXPECT_NEAR(actual[i], expected[i], 0x1p-31) << "item " << i << ", exponent " << exponent;
    if (degrees[i] == 0) {
      EXPECT_EQ(actual[i], 0) << i;
    }
  }
}

TEST(AliasTable, MatchesHandComputation) {
  // Weights 1, 3: in units of a cell 1/2, 3/2. Item 0 keeps half of its cell, item 1 has the rest.
  const AliasTable table = make_alias_table(Degrees{1, 3}, 1);
  EXPECT_EQ(table.threshold[0], 1u << 31);
  EXPECT_EQ(table.alias, (std::vector<NodeId>{1, 1}));
}

TEST(AliasTable, HasTheLaw) {
  const Degrees mixed{5, 0, 1, 1, 17, 0, 2, 300, 4, 4};
  for (const double exponent : {0.0, 0.5, 0.75, 1.0, 2.0, -1.0}) {
    expect_law(mixed, exponent);
    expect_law({7}, exponent);
    expect_law({3, 3, 3}, exponent);
    expect_law({0, 0, 9, 0}, exponent);
  }
  Degrees zipf;
  for (int i = 0; i < 5000; ++i) zipf.push_back(i % 7 == 0 ? 0 : 100'000 / (i + 1));
  expect_law(zipf, 0.75);
  expect_law(zipf, 0);
}

TEST(AliasTable, SurvivesExponentsThatOverflowPowers) {
  // (10⁶)²⁰⁰ overflows, but the distribution is simple: all mass on the largest or the smallest.
  const AliasTable most = make_alias_table(Degrees{1, 1'000'000, 2}, 200);
  EXPECT_NEAR(law_of(most)[1], 1, 1e-9);
  const AliasTable least = make_alias_table(Degrees{1'000'000, 0, 1, 2}, -200);
  EXPECT_NEAR(law_of(least)[2], 1, 1e-9);
  EXPECT_EQ(law_of(least)[1], 0);
}

TEST(AliasTable, DrawsByTheLaw) {
  const Degrees degrees{5, 0, 1, 1, 17, 2};
  const AliasTable table = make_alias_table(degrees, 0.75);
  std::vector<std::int64_t> counts(degrees.size(), 0);
  RandomStream stream(Seed{1}, Purpose::kNegative, 0, 0);
  for (int i = 0; i < 100'000; ++i) {
    const std::uint32_t cell = stream.below(static_cast<std::uint32_t>(degrees.size()));
    const std::uint32_t word = stream.next();
    ++counts[word < table.threshold[cell] ? static_cast<NodeId>(cell) : table.alias[cell]];
  }
  EXPECT_LT(chi_square_deviate(counts, wanted_law(degrees, 0.75)), kMaxDeviate);
}

TEST(AliasTable, RefusesLawsThatAreNone) {
  EXPECT_THROW(make_alias_table(Degrees{0, 0}, 1), ConfigError);
  EXPECT_THROW(make_alias_table(Degrees{}, 1), ConfigError);
  EXPECT_THROW(make_alias_table(Degrees{1, -1}, 1), ConfigError);
  EXPECT_THROW(make_alias_table(Degrees{1, 2}, std::nan("")), ConfigError);
  EXPECT_THROW(make_alias_table(Degrees{1, 2}, std::numeric_limits<double>::infinity()),
               ConfigError);
}

}  // namespace
}  // namespace tern::test
