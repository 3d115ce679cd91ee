#pragma once

#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

namespace tern::bench {

/// The median seconds of a case, block by block.
struct CaseBlocks {
  std::string name;  // op/variant/strategy, and the settings that the file states (rows.hpp)
  std::vector<double> seconds;
};

/// The timed cases of a JSON file of tern-bench. Throws DataError if it is none.
std::vector<CaseBlocks> read_blocks(const std::filesystem::path& file);

/// A case of both runs.
struct Change {
  std::string name;
  double before = 0.0;  // median seconds
  double after = 0.0;
  double effect = 0.0;  // median log of after / before, without the change that all cases share
  double noise = 0.0;   // the larger log of upper over lower quartile of both runs' blocks
  double p = 1.0;       // corrected
  bool significant = false;
};

struct Comparison {
  std::vector<Change> cases;
  double shared =
      0.0;  // median log of the change that all cases share; 0 if they are too few to tell
};

/// Compares the cases that both runs have.
///
/// Blocks of the same number are a pair: d = log(after / before). With at least kSharedCases cases, the
/// median over the cases of each block's d is the machine's, and is taken out. Under the hypothesis
/// that nothing changed, the sign of each remaining d is a coin: p is the share of all 2ⁿ choices of
/// signs whose sum is as far from 0 as the one found (Fisher 1935, §21; Pitman 1937), exactly up to
/// n = 16 blocks. Holm's correction (1979) holds for all cases together. Since two runs of one program
/// also differ as wholes (pages, frequency), a change must besides exceed the noise of its own blocks and
/// the shared change together, and 5%.
/// Twelve blocks reach p = 1/2048, enough for 100 cases at 5%.
Comparison compare_blocks(const std::vector<CaseBlocks>& before,
                          const std::vector<CaseBlocks>& after);
inline constexpr std::size_t kSharedCases = 6;

/// The share of all choices of signs whose |sum| is at least that of the values. 1 if there are none.
double sign_flip_p(const std::vector<double>& values);

/// Prints a table for people. Returns how many cases changed.
int print_comparison(std::FILE* out, const Comparison& comparison);

}  // namespace tern::bench
