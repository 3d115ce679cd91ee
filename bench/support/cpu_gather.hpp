#pragma once

#include <cstdint>
#include <span>

#include "tern/types.hpp"

namespace tern::bench {

/// Reads the rows of a table in the order of ids and returns the sum of all their elements, so that no
/// read can be optimised away: the ceiling of gathers. stride: floats of a row, a multiple of 16; the
/// table begins at a multiple of 64 bytes, as the tables of the CPU backend do. ahead: rows between
/// prefetching a row and reading it; 0: none is prefetched, which is faster in a near cache.
///
/// It uses the widest vectors of the processor, and eight sums side by side: with fewer it waits for
/// additions in a near cache, since an addition takes several cycles and two vectors arrive in each.
float gather_rows(const float* table, std::int64_t stride, std::span<const NodeId> ids,
                  std::size_t ahead);

}  // namespace tern::bench
