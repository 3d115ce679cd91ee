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
  std::vector<int> processes;  // which process ran each block; as long as `seconds`
};

/// The timed cases of a JSON file of tern-bench. Rows without a process are taken for those of one. Throws
/// DataError if it is no such file.
std::vector<CaseBlocks> read_blocks(const std::filesystem::path& file);

/// A case of both runs.
struct Change {
  std::string name;
  double before = 0.0;  // median seconds
  double after = 0.0;
  double effect = 0.0;  // mean log of after / before, without the change that all cases share
  double noise = 0.0;   // the larger log of upper over lower quartile of both runs' blocks
  double p = 1.0;       // corrected
  bool significant = false;
};

struct Comparison {
  std::vector<Change> cases;
  double shared =
      0.0;  // median log of the change that all cases share; 0 if they are too few to tell
  int processes = 0;  // of the run that has fewer; with 1, no change is significant
};

/// Compares the cases that both runs have.
///
/// The blocks of one process share its placement of memory, so that their differences understate how far two
/// runs of one program are apart (Kalibera and Jones 2013). The sample is therefore a process: the log of the median of
/// its blocks of a case. With at least kSharedCases cases, the part of a process that all cases share (the
/// median over the cases of their distances from their means) is the machine's, and is taken out, as is the change that they
/// share. p is that of Welch's t-test (1947) on the processes of both runs, its degrees of freedom rounded down;
/// Holm's correction (1979) holds for all cases together: if nothing changed, and processes are
/// independent, at most 5% of pairs of runs have a case with p < 0.05.
/// Since two runs of one program also differ as wholes (frequency, other programs), a change must besides exceed
/// the noise of its own blocks and the shared change together, and 5%.
/// With six processes a run, and an error of 2% a process, 10% is found among 60 cases; with three, 25%.
Comparison compare_blocks(const std::vector<CaseBlocks>& before,
                          const std::vector<CaseBlocks>& after);
inline constexpr std::size_t kSharedCases = 6;

/// Welch's p for equal means of two samples; 1 if one has fewer than two values.
double welch_p(const std::vector<double>& a, const std::vector<double>& b);

/// Prints a table for people. Returns how many cases changed.
int print_comparison(std::FILE* out, const Comparison& comparison);

}  // namespace tern::bench
