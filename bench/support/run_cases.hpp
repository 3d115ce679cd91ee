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
  double seconds = 0.5;  // that a case is run for, over all its repetitions
  CacheState caches = CacheState::kEvicted;
  std::filesystem::path json;  // Google Benchmark's format; empty: none
  std::FILE* table = stdout;
  std::string title;  // what is measured on what, above the table
  /// What the JSON's context says besides, by name.
  std::vector<std::pair<std::string, std::string>> context;
};

/// Repetitions of a case: as many as the U test of Google Benchmark's compare.py needs. Each is the
/// median of as many runs as its time allows; the table shows the median of the repetitions.
inline constexpr int kRepetitions = 9;

struct Summary {
  int timed = 0;
  int refused = 0;
};

/// The cases whose name the regular expression (POSIX extended) matches somewhere, those of one
/// variant of an op side by side. Throws ConfigError where it is malformed or matches none.
Cases select_cases(const Cases& cases, const std::string& filter);

/// Throws Error where a file cannot be written; it is there afterwards.
void expect_writable(const std::filesystem::path& file);

/// Verifies and times every case, and prints a table. A case whose result is wrong is reported and
/// not timed. Throws Error where the JSON cannot be written. With a JSON only once a process:
/// Google Benchmark keeps its context for good.
Summary run_cases(const Cases& cases, Workload& workload, const Ceilings& ceilings,
                  const RunOptions& options);

}  // namespace tern::bench
