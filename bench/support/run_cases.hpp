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
  double min_seconds = 0.3;  // of timed runs a case, over all its repetitions
  CacheState caches = CacheState::kEvicted;
  std::filesystem::path json;  // Google Benchmark's format; empty: none
  std::FILE* table = stdout;
  std::string title;  // what is measured on what, above the table
  /// What the JSON's context says besides, by name.
  std::vector<std::pair<std::string, std::string>> context;
};

/// Timed this often, each time long enough; the table shows the median.
inline constexpr int kRepetitions = 5;

struct Summary {
  int timed = 0;
  int refused = 0;
};

/// The cases whose name the regular expression (POSIX extended) matches somewhere, those of one
/// variant of an op side by side. Throws ConfigError where it is malformed or matches none.
Cases select_cases(const Cases& cases, const std::string& filter);

/// Verifies and times every case, and prints a table. A case whose result is wrong is reported and
/// not timed. Throws Error where the JSON cannot be written. Once a process: Google Benchmark keeps
/// its context for good.
Summary run_cases(const Cases& cases, Workload& workload, const Ceilings& ceilings,
                  const RunOptions& options);

}  // namespace tern::bench
