// The comparison of two runs: what is a difference, and what noise.

#include "bench/support/compare_results.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace tern::test {
namespace {

using bench::CaseBlocks;
using bench::Comparison;

/// Runs of `cases` cases, each of a second on average. A block's noise is shared in part.
class Machine {
 public:
  explicit Machine(std::uint64_t seed) : random_(seed) {}
  std::vector<CaseBlocks> run(int cases, double noise, double shared) {
    std::vector<CaseBlocks> all(static_cast<std::size_t>(cases));
    for (int c = 0; c < cases; ++c) all[static_cast<std::size_t>(c)].name = std::to_string(c);
    for (int block = 0; block < 12; ++block) {
      const double machine = shared * normal_(random_);
      for (CaseBlocks& one : all) {
        one.seconds.push_back(std::exp(machine + noise * normal_(random_)));
      }
    }
    return all;
  }

 private:
  std::mt19937_64 random_;
  std::normal_distribution<double> normal_;
};

int changed(const Comparison& comparison) {
  int count = 0;
  for (const bench::Change& change : comparison.cases) count += change.significant ? 1 : 0;
  return count;
}

TEST(CompareResults, SignsAreFlippedExactly) {
  EXPECT_DOUBLE_EQ(bench::sign_flip_p({1.0, 1.0, 1.0}), 2.0 / 8);
  // |sum| >= 2 of {+-1, +-1, +-2}: 4, 2 (twice), and their opposites.
  EXPECT_DOUBLE_EQ(bench::sign_flip_p({1.0, -1.0, 2.0}), 6.0 / 8);
  EXPECT_DOUBLE_EQ(bench::sign_flip_p({0.0, 0.0}), 1.0);
  EXPECT_DOUBLE_EQ(bench::sign_flip_p({}), 1.0);
  EXPECT_LT(bench::sign_flip_p(std::vector<double>(40, 1.0)), 1e-3);
  EXPECT_GT(bench::sign_flip_p({1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1}),
            0.5);
}

TEST(CompareResults, AOneSidedRunOfTwelveBlocksIsSeenAmongFortyCases) {
  Machine machine(1);
  const auto before = machine.run(40, 0.01, 0.1);
  auto after = machine.run(40, 0.01, 0.1);
  for (double& seconds : after[7].seconds) seconds *= 1.6;
  for (double& seconds : after[9].seconds) seconds /= 1.6;
  const Comparison comparison = bench::compare_blocks(before, after);
  ASSERT_EQ(comparison.cases.size(), 40u);
  EXPECT_EQ(changed(comparison), 2);
  EXPECT_TRUE(comparison.cases[7].significant);
  EXPECT_NEAR(comparison.cases[7].effect, std::log(1.6), 0.03);
  EXPECT_TRUE(comparison.cases[9].significant);
  EXPECT_LT(comparison.cases[9].effect, 0.0);
}

TEST(CompareResults, AChangeOfTheWholeMachineIsNoChangeOfACase) {
  Machine machine(2);
  const auto before = machine.run(12, 0.01, 0.02);
  auto after = machine.run(12, 0.01, 0.02);
  for (CaseBlocks& one : after) {
    for (double& seconds : one.seconds) seconds *= 2.5;
  }
  const Comparison comparison = bench::compare_blocks(before, after);
  EXPECT_EQ(changed(comparison), 0);
  EXPECT_NEAR(comparison.shared, std::log(2.5), 0.05);
}

TEST(CompareResults, AFewCasesAreComparedAsTheyAre) {
  Machine machine(3);
  const auto before = machine.run(2, 0.01, 0.0);
  auto after = machine.run(2, 0.01, 0.0);
  for (CaseBlocks& one : after) {
    for (double& seconds : one.seconds) seconds *= 1.5;
  }
  EXPECT_EQ(changed(bench::compare_blocks(before, after)), 2);
}

TEST(CompareResults, EqualProgramsRarelyDiffer) {
  Machine machine(4);
  int alarms = 0;
  for (int pair = 0; pair < 200; ++pair) {
    const auto before = machine.run(15, 0.05, 0.2);
    alarms += changed(bench::compare_blocks(before, machine.run(15, 0.05, 0.2))) > 0 ? 1 : 0;
  }
  EXPECT_LE(alarms, 10);  // of 200 pairs
}

TEST(CompareResults, OnlyCasesOfBothRunsCount) {
  Machine machine(5);
  const auto before = machine.run(3, 0.01, 0.0);
  auto after = machine.run(3, 0.01, 0.0);
  after[0].name = "new";
  EXPECT_EQ(bench::compare_blocks(before, after).cases.size(), 2u);
  EXPECT_TRUE(bench::compare_blocks({}, after).cases.empty());
}

}  // namespace
}  // namespace tern::test
