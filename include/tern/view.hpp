#pragma once

#include <cstdint>

#include "tern/types.hpp"

namespace tern {

/// A dense row-major matrix, not owned: element (r, c) is data[r * stride + c].
/// Trivially copyable, passed by value, valid on the device of its backend.
template <typename T>
struct MatrixView {
  T* data = nullptr;
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  std::int64_t stride = 0;

  TERN_HD T* row(std::int64_t r) const { return data + r * stride; }
  TERN_HD T& operator()(std::int64_t r, std::int64_t c) const { return data[r * stride + c]; }
};

/// One direction of the graph: row r lists its neighbours columns[offsets[r] .. offsets[r + 1]),
/// ascending and without repeats.
struct CsrView {
  const EdgeOffset* offsets = nullptr;
  const NodeId* columns = nullptr;
  NodeId num_rows = 0;
  NodeId num_columns = 0;

  TERN_HD EdgeOffset degree(std::int64_t row) const { return offsets[row + 1] - offsets[row]; }
};

}  // namespace tern
