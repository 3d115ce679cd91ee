#pragma once

#include <algorithm>
#include <cmath>

#include "tern/types.hpp"

namespace tern {

// How propagate on a GPU cuts the long rows of a graph (cuda/ops/propagate.cu), which the memory formula
// counts too (host/train/memory.cpp).

/// The most neighbours of a row that one group sums alone; longer rows are cut into segments. 64
/// because then a group takes at most 16 turns, so that no other has to wait long for it, and the
/// partial sums are few: on Gowalla 3669 rows are longer, with 33% of the edges of users and 25% of
/// those of items, and their partial sums add 1% to the bytes (counted, not measured on a GPU).
inline constexpr EdgeOffset kSegment = 64;

/// The neighbours of a segment of a row with `degree` neighbours. The segments of a row are joined
/// one after the other, so that a row of more than 64² has as many segments as a segment neighbours.
inline EdgeOffset segment_size(EdgeOffset degree) {
  const auto root = static_cast<EdgeOffset>(std::ceil(std::sqrt(static_cast<double>(degree))));
  return std::max(kSegment, root);
}

/// The segments of a row; 0 if one group sums it alone.
inline EdgeOffset segments_of_row(EdgeOffset degree) {
  if (degree <= kSegment) return 0;
  const EdgeOffset size = segment_size(degree);
  return (degree + size - 1) / size;
}

}  // namespace tern
