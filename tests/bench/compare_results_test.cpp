// The comparison of two runs: what is a difference, and what noise.

#include "bench/support/compare_results.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <random>

namespace tern::test {
namespace {

using bench::CaseBlocks;
using bench::Comparison;
using ::testing::HasSubstr;
using ::testing::Not;

/// How far, as shares, a case's processes lie apart, its blocks within one, and the blocks of all cases together.
struct Noise {
  double process = 0.0;
  double block = 0.0;
  double shared = 0.0;
  /// In a tenth of the processes of a case, a delay of about this share besides: the tail of a busy machine.
  double delay = 0.0;
};

/// Runs of `cases` cases, each of a second on average.
class Machine {
 public:
  explicit Machine(std::uint64_t seed) : random_(seed) {}

  std::vector<CaseBlocks> run(int cases, const Noise& noise, int processes = 6, int blocks = 2) {
    std::vector<CaseBlocks> all(static_cast<std::size_t>(cases));
    for (int c = 0; c < cases; ++c) all[static_cast<std::size_t>(c)].name = std::to_string(c);
    for (int process = 0; process < processes; ++process) {
      std::vector<double> shared;
      for (int block = 0; block < blocks; ++block)
        shared.push_back(noise.shared * normal_(random_));
      for (CaseBlocks& one : all) {
        double own = noise.process * normal_(random_);
        if (uniform_(random_) < 0.1) own += noise.delay * std::abs(normal_(random_));
        for (const double together : shared) {
          one.seconds.push_back(std::exp(own + together + noise.block * normal_(random_)));
          one.processes.push_back(process);
        }
      }
    }
    return all;
  }

 private:
  std::mt19937_64 random_;
  std::normal_distribution<double> normal_;
  std::uniform_real_distribution<double> uniform_;
};

void scale(CaseBlocks& one, double factor) {
  for (double& seconds : one.seconds) seconds *= factor;
}

int changed(const Comparison& comparison) {
  int count = 0;
  for (const bench::Change& change : comparison.cases) count += change.significant ? 1 : 0;
  return count;
}

/// The pairs of 300 in which Holm's correction leaves any p below 5%, though nothing changed.
int alarms(std::uint64_t seed, int cases, const Noise& noise, int processes, int blocks) {
  Machine machine(seed);
  int count = 0;
  for (int pair = 0; pair < 300; ++pair) {
    const auto before = machine.run(cases, noise, processes, blocks);
    const Comparison comparison =
        bench::compare_blocks(before, machine.run(cases, noise, processes, blocks));
    count += std::ranges::any_of(comparison.cases,
                                 [](const bench::Change& change) { return change.p < 0.05; })
                 ? 1
                 : 0;
  }
  return count;
}

TEST(CompareResults, WelchComparesMeansOfUnequalSpread) {
  // By hand: means 2 and 6, variances 1 and 4, t = 4 / sqrt(1/3 + 4/3) = 3.098, 2.94 degrees of freedom, rounded to
  // 2: p = 1 - t / sqrt(2 + t²).
  const double t = 4.0 / std::sqrt(5.0 / 3.0);
  EXPECT_NEAR(bench::welch_p({1, 2, 3}, {4, 6, 8}), 1.0 - t / std::sqrt(2.0 + t * t), 1e-12);
  // Equal spread of three and three: four degrees.
  EXPECT_NEAR(bench::welch_p({1, 2, 3}, {1 + 3.4, 2 + 3.4, 3 + 3.4}), 0.0141, 2e-4);
  EXPECT_DOUBLE_EQ(bench::welch_p({1, 2}, {1, 2}), 1.0);
  EXPECT_DOUBLE_EQ(bench::welch_p({1, 1}, {1, 1}), 1.0);
  EXPECT_DOUBLE_EQ(bench::welch_p({1, 1}, {2, 2}), 0.0);
  EXPECT_DOUBLE_EQ(bench::welch_p({1}, {5, 6, 7}), 1.0);
  EXPECT_DOUBLE_EQ(bench::welch_p({}, {}), 1.0);
}

/// The placement of memory: blocks of one process agree, and other processes differ by 3%. If blocks were the
/// sample, most pairs would be alarms.
TEST(CompareResults, ProcessesOfOneProgramRarelyDiffer) {
  const Noise placement{.process = 0.03, .block = 0.005, .shared = 0.01};
  const Noise busy{.process = 0.05, .block = 0.1, .shared = 0.2, .delay = 0.3};
  // At 5%, 300 pairs have more than 24 alarms with a probability of 1%.
  constexpr int kMost = 24;
  EXPECT_LE(alarms(4, 15, placement, 6, 2), kMost);
  EXPECT_LE(alarms(5, 40, placement, 6, 2), kMost);
  EXPECT_LE(alarms(6, 3, placement, 6, 2), kMost);
  EXPECT_LE(alarms(7, 15, placement, 3, 4), kMost);
  EXPECT_LE(alarms(8, 15, busy, 6, 2), kMost);
}

TEST(CompareResults, ATenthIsFoundAmongSixtyCases) {
  int found = 0;
  Machine machine(9);
  const Noise quiet{.process = 0.01, .block = 0.02, .shared = 0.01};
  for (int pair = 0; pair < 40; ++pair) {
    const auto before = machine.run(60, quiet);
    auto after = machine.run(60, quiet);
    scale(after[7], 1.1);
    const Comparison comparison = bench::compare_blocks(before, after);
    found += comparison.cases[7].significant ? 1 : 0;
    EXPECT_LE(changed(comparison), 1);
    EXPECT_NEAR(comparison.cases[7].effect, std::log(1.1), 0.05);
  }
  EXPECT_GE(found, 36);
}

TEST(CompareResults, BothDirectionsAreSeenThroughTheNoiseOfTheMachine) {
  Machine machine(1);
  const Noise shaken{.process = 0.01, .block = 0.01, .shared = 0.1};
  const auto before = machine.run(40, shaken);
  auto after = machine.run(40, shaken);
  scale(after[7], 1.6);
  scale(after[9], 1 / 1.6);
  const Comparison comparison = bench::compare_blocks(before, after);
  ASSERT_EQ(comparison.cases.size(), 40u);
  EXPECT_EQ(comparison.processes, 6);
  EXPECT_EQ(changed(comparison), 2);
  EXPECT_TRUE(comparison.cases[7].significant);
  EXPECT_NEAR(comparison.cases[7].effect, std::log(1.6), 0.03);
  EXPECT_TRUE(comparison.cases[9].significant);
  EXPECT_LT(comparison.cases[9].effect, 0.0);
}

TEST(CompareResults, AChangeOfTheWholeMachineIsNoChangeOfACase) {
  Machine machine(2);
  const Noise quiet{.process = 0.01, .block = 0.01, .shared = 0.02};
  const auto before = machine.run(12, quiet);
  auto after = machine.run(12, quiet);
  for (CaseBlocks& one : after) scale(one, 2.5);
  const Comparison comparison = bench::compare_blocks(before, after);
  EXPECT_EQ(changed(comparison), 0);
  EXPECT_NEAR(comparison.shared, std::log(2.5), 0.05);
}

std::string printed(const Comparison& comparison) {
  char* text = nullptr;
  std::size_t size = 0;
  std::FILE* out = open_memstream(&text, &size);
  bench::print_comparison(out, comparison);
  std::fclose(out);
  std::string result = text;
  std::free(text);
  return result;
}

TEST(CompareResults, AFewCasesAreComparedAsTheyAre) {
  Machine machine(3);
  const Noise quiet{.process = 0.01, .block = 0.01};
  const auto before = machine.run(2, quiet);
  auto after = machine.run(2, quiet);
  for (CaseBlocks& one : after) scale(one, 1.5);
  const Comparison comparison = bench::compare_blocks(before, after);
  EXPECT_EQ(changed(comparison), 2);
  EXPECT_THAT(printed(comparison), HasSubstr("Fewer than 6 cases: a change of the machine is not"));
}

TEST(CompareResults, RunsOfOneProcessHaveNoVerdicts) {
  Machine machine(10);
  const Noise quiet{.process = 0.01, .block = 0.01};
  const auto before = machine.run(8, quiet, 1, 12);
  auto after = machine.run(8, quiet, 6, 2);
  scale(after[3], 3.0);
  const Comparison comparison = bench::compare_blocks(before, after);
  EXPECT_EQ(comparison.processes, 1);
  EXPECT_EQ(changed(comparison), 0);
  EXPECT_NEAR(comparison.cases[3].effect, std::log(3.0), 0.1);
  EXPECT_THAT(printed(comparison), HasSubstr("no verdicts. Measure\nboth with --processes 6."));
  EXPECT_THAT(printed(bench::compare_blocks(after, after)), Not(HasSubstr("verdicts")));
}

TEST(CompareResults, OnlyCasesOfBothRunsCount) {
  Machine machine(5);
  const Noise quiet{.process = 0.01, .block = 0.01};
  const auto before = machine.run(3, quiet);
  auto after = machine.run(3, quiet);
  after[0].name = "new";
  EXPECT_EQ(bench::compare_blocks(before, after).cases.size(), 2u);
  EXPECT_THAT(printed(bench::compare_blocks(before, {after[0]})), HasSubstr("no case in common"));
  EXPECT_TRUE(bench::compare_blocks({}, after).cases.empty());
}

}  // namespace
}  // namespace tern::test
