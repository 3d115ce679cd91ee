#pragma once

#include <cstdint>

#include "tern/types.hpp"
#include "tern/view.hpp"

namespace tern::cuda {

/// Where the rows of a set lie within an array of rows. In device memory, so that a recorded step
/// uses the rows of the current batch.
struct RowSpan {
  std::int64_t begin = 0;
  std::int64_t count = 0;
};

/// A set of rows as kernels see it: rows[span->begin + i] for i < span->count <= capacity, each
/// once (no kernel relies on their order), and marks[row] != 0 exactly for these. All pointers
/// null: every row.
struct RowsView {
  const NodeId* rows = nullptr;
  const RowSpan* span = nullptr;
  const std::uint8_t* marks = nullptr;
  std::int64_t capacity = 0;

  bool every() const { return rows == nullptr; }
};

}  // namespace tern::cuda
