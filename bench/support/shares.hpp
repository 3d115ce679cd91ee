#pragma once

#include <string>

#include "bench/support/run_cases.hpp"

namespace tern::bench {

/// All cases at one width and batch size, in all states of the caches, and the ceilings of these states.
struct MeasuredTable {
  std::vector<Result> results;
  CeilingsByState ceilings;
};

/// A table before it is measured, in the order of run_cases().
MeasuredTable unmeasured(const Cases& cases, std::int64_t width, std::int64_t batch_size,
                         const std::vector<CacheState>& states);

/// What one process measured of a table, for the process that started it (JSON): costs, blocks and reasons of
/// refusals, by place, and the rates of the ceilings.
std::string share_text(const MeasuredTable& table);

/// Adds such a share to a table. Throws Error if the text is none, or has other cases.
void append_share(MeasuredTable& table, const std::string& text);

}  // namespace tern::bench
