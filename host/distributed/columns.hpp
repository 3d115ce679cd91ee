#pragma once

#include <cstdint>

namespace tern::distributed {

/// Columns are shared out in groups of this number: 32 bytes of a row in f32, a sector of memory.
inline constexpr std::int64_t kColumnGroup = 8;

/// The columns [begin, end) of a table.
struct ColumnRange {
  std::int64_t begin = 0;
  std::int64_t end = 0;
  std::int64_t size() const noexcept { return end - begin; }
};

/// The most ranks among which a table of this width can be shared out.
constexpr std::int64_t max_ranks(std::int64_t width) {
  return width < kColumnGroup ? 1 : width / kColumnGroup;
}

/// The columns of a rank: whole groups, whose numbers differ by at most one between ranks; the last group
/// may be shorter. No range is empty if ranks <= max_ranks(width).
constexpr ColumnRange columns_of(std::int64_t width, int rank, int ranks) {
  const std::int64_t groups = (width + kColumnGroup - 1) / kColumnGroup;
  const auto bound = [&](std::int64_t r) {
    const std::int64_t column = groups * r / ranks * kColumnGroup;
    return column < width ? column : width;
  };
  return {bound(rank), bound(rank + 1)};
}

/// The most columns that a rank has.
constexpr std::int64_t most_columns(std::int64_t width, int ranks) {
  const std::int64_t groups = (width + kColumnGroup - 1) / kColumnGroup;
  const std::int64_t columns = (groups + ranks - 1) / ranks * kColumnGroup;
  return columns < width ? columns : width;
}

}  // namespace tern::distributed
