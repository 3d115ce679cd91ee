#pragma once

#include <cstdint>
#include <vector>

#include "host/support/thread_pool.hpp"

namespace tern {

/// A few hundred columns of many rows, f64, row-major without padding.
struct TallMatrix {
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  std::vector<double> values;

  TallMatrix() = default;
  TallMatrix(std::int64_t num_rows, std::int64_t num_cols)
      : rows(num_rows), cols(num_cols), values(static_cast<std::size_t>(num_rows * num_cols)) {}
  double* row(std::int64_t r) { return values.data() + r * cols; }
  const double* row(std::int64_t r) const { return values.data() + r * cols; }
};

// All of these give the same bits for any number of threads: rows are cut into the same parts, and
// sums over parts are added in their order. They need prepare_blas().

/// Aᵀ A, (cols, cols) row-major.
std::vector<double> gram(const TallMatrix& a, ThreadPool& pool);

/// A = A T; T: (cols, new_cols) row-major.
void multiply_right(TallMatrix& a, const std::vector<double>& t, std::int64_t new_cols,
                    ThreadPool& pool);

/// Makes the columns orthonormal, each from the ones before it. A column that depends on earlier
/// ones up to rounding is left out, so that cols may fall.
/// By Cholesky factors of the Gram matrix of columns of norm 1, twice (CholeskyQR2).
/// Source: Yamamoto et al. 2015, "Roundoff error analysis of the CholeskyQR2 algorithm".
void orthonormalize(TallMatrix& a, ThreadPool& pool);

}  // namespace tern
