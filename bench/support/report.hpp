#pragma once

#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include "bench/support/ceilings.hpp"
#include "bench/support/compare_results.hpp"
#include "bench/support/machine.hpp"
#include "bench/support/run_cases.hpp"

namespace tern::bench {

struct Summary {
  int timed = 0;
  int refused = 0;
  int implausible = 0;  // timed, but faster than a limit that cannot be exceeded
};
Summary summary_of(const std::vector<Result>& results);

/// Prints a table for people: one row a case. If cases were timed with evicted and with warm caches,
/// both stand side by side.
Summary print_table(std::FILE* out, const std::string& title, const std::vector<Result>& results);

/// Limits with their spreads, in GB/s or GFLOP/s.
/// The names end with the suffix.
Context ceiling_context(const Ceilings& ceilings, const std::string& suffix);

/// The results in the format of Google Benchmark: the medians of the blocks as iterations, with their
/// median as an aggregate.
std::string json_text(const Context& context, const std::vector<Result>& results);
/// Replaces the file. Throws Error if it cannot be written.
void write_file(const std::filesystem::path& file, const std::string& text);

/// The blocks of the timed results, as read_blocks() reads them from their JSON.
std::vector<CaseBlocks> blocks_of(const std::vector<Result>& results);

/// Creates the file if it does not exist. Throws Error if it cannot be written.
void expect_writable(const std::filesystem::path& file);

}  // namespace tern::bench
