#pragma once

#include <cstdint>

#include "tern/types.hpp"

namespace tern::cuda {

/// A stretch [begin, end) of one long row's neighbours; its partial sum goes to the slot.
struct RowSegment {
  NodeId row = 0;
  std::int32_t slot = 0;
  EdgeOffset begin = 0;
  EdgeOffset end = 0;
};

/// A row of several segments, whose partial sums lie in slots [first_slot, first_slot + count).
struct SplitRow {
  NodeId row = 0;
  std::int32_t first_slot = 0;
  std::int32_t count = 0;
};

}  // namespace tern::cuda
