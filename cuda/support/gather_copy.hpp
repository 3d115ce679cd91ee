#pragma once

#include <cstdint>

#include "host/support/bf16.hpp"

namespace tern::cuda {

/// A row of a copy is a whole number of vectors of so many bf16: 16 bytes, one load.
inline constexpr std::int64_t kCopyUnit = 8;

/// The elements of a matrix in bf16, for propagate to gather from: half of the bytes. In device memory,
/// the padding of a row zero. After the last row follows one of zeros, which propagate reads in place of
/// a neighbour. Values null: the matrix has no copy.
struct GatherCopyView {
  Bf16* values = nullptr;
  std::int32_t vectors = 0;  // of kCopyUnit elements in a row: at least the matrix's width
};

constexpr std::int64_t vectors_of_copy(std::int64_t cols) {
  return (cols + kCopyUnit - 1) / kCopyUnit;
}

/// Whether 32 bits number the vectors of a copy, as propagate does: up to 2³² of them, 64 GiB.
constexpr bool can_copy(std::int64_t rows, std::int64_t cols) {
  constexpr std::int64_t kMaxVectors = std::int64_t{1} << 32;
  return cols == 0 || rows < kMaxVectors / vectors_of_copy(cols);
}

}  // namespace tern::cuda
