#pragma once

#include <filesystem>
#include <string>

#include "bench/support/case.hpp"
#include "bench/support/ceilings.hpp"

namespace tern::bench {

enum class CacheState : std::uint8_t { kFlushed, kWarm };

struct RunOptions {
  std::string filter = ".";  // regular expression on "op/variant/strategy"
  double min_seconds = 0.3;  // of timed runs a case
  CacheState caches = CacheState::kFlushed;
  std::filesystem::path json;  // Google Benchmark's format; empty: none
  std::string title;           // what is measured on what, above the table
};

/// Verifies and times every case that the filter names, and prints a table to stdout. A case whose
/// result is wrong is reported and not timed. Returns how many were refused.
int run_cases(const Cases& cases, Workload& workload, const Ceilings& ceilings,
              const RunOptions& options);

}  // namespace tern::bench
