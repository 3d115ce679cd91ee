#pragma once

#include <cstdint>

#include "tern/types.hpp"

namespace tern::cuda {

/// A stretch of one long row's neighbours, from `begin` on; its partial sum goes to the slot.
struct RowSegment {
  NodeId row = 0;
  std::int32_t slot = 0;
  std::int32_t split = 0;  // the row among those of several segments
  std::int32_t size = 0;
  EdgeOffset begin = 0;
};

/// A row of several segments, whose partial sums lie in slots [first_slot, first_slot + count).
struct SplitRow {
  NodeId row = 0;
  std::int32_t first_slot = 0;
  std::int32_t count = 0;
  std::int32_t stored = 0;  // partial sums that the launch under way has stored; 0 between launches
};

}  // namespace tern::cuda
