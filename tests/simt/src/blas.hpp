// The product shared by cuBLAS and cuBLASLt, in plain loops.
#pragma once

#include <cstddef>
#include <cstdint>

#include "simt/runtime/work.hpp"

namespace simt::runtime {

/// A column-major matrix, or its transpose.
struct Operand {
  const float* data = nullptr;
  std::int64_t row_step = 0;
  std::int64_t column_step = 0;

  const float* row(std::int64_t i) const { return data + i * row_step; }
  const float* column(std::int64_t j) const { return data + j * column_step; }
};

inline Operand operand(bool transposed, const float* data, std::int64_t leading) {
  return transposed ? Operand{data, leading, 1} : Operand{data, 1, leading};
}

/// Σ_l a(i, l) b(l, j) in f64, in four parts that the processor can add side by side.
inline double dot(const float* a, std::int64_t a_step, const float* b, std::int64_t b_step,
                  std::int64_t count) {
  double part[4] = {};
  std::int64_t l = 0;
  for (; l + 4 <= count; l += 4) {
    for (int u = 0; u < 4; ++u) {
      part[u] += static_cast<double>(a[(l + u) * a_step]) * b[(l + u) * b_step];
    }
  }
  for (; l < count; ++l) part[0] += static_cast<double>(a[l * a_step]) * b[l * b_step];
  return (part[0] + part[1]) + (part[2] + part[3]);
}

/// The number of elements that a column-major matrix with a leading dimension spans.
inline Range span_of(const float* data, std::int64_t rows, std::int64_t columns,
                     std::int64_t leading) {
  if (rows == 0 || columns == 0) return {data, 0};
  return {data, static_cast<std::size_t>((columns - 1) * leading + rows) * sizeof(float)};
}

}  // namespace simt::runtime
