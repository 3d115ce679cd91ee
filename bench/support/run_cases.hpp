#pragma once

#include <cstdio>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "bench/support/case.hpp"

namespace tern::bench {

enum class CacheState : std::uint8_t { kEvicted, kWarm };

struct RunOptions {
  double seconds = 0.5;  // the time for a case, over all its repetitions
  CacheState caches = CacheState::kEvicted;
  std::filesystem::path json;  // Google Benchmark's format; empty: none
  std::FILE* table = stdout;
  std::string title;  // printed above the table: device, graph, ceilings
  /// Further entries of the JSON's context, by name.
  std::vector<std::pair<std::string, std::string>> context;
};

/// Repetitions of a case: as many as the U test of Google Benchmark's compare.py needs. Each is the
/// median of as many runs as its time allows; the table shows the median of the repetitions.
inline constexpr int kRepetitions = 9;

struct Summary {
  int timed = 0;
  int refused = 0;
};

/// The cases whose name contains a match of the regular expression (POSIX extended); cases of one
/// variant of an op come together. Throws ConfigError if it is malformed or matches none.
Cases select_cases(const Cases& cases, const std::string& filter);

/// Creates the file if it does not exist. Throws Error if it cannot be written.
void expect_writable(const std::filesystem::path& file);

/// Verifies and times every case, and prints a table. A case whose result is wrong is reported and
/// not timed. Throws Error if the JSON cannot be written. May be called with a JSON only once in a
/// process: Google Benchmark keeps its context.
Summary run_cases(const Cases& cases, Workload& workload, const Ceilings& ceilings,
                  const RunOptions& options);

}  // namespace tern::bench
