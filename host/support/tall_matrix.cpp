#include "host/support/tall_matrix.hpp"

#include <algorithm>
#include <cmath>

#include "host/support/blas.hpp"
#include "host/support/parallel.hpp"

namespace tern {
namespace {

constexpr std::int64_t kTallRowsAtOnce = 512;
/// Partial sums of a Gram matrix: as many threads can take part, and each takes memory.
constexpr std::int64_t kGramParts = 16;
/// The share of a column's squared norm that must be left after the earlier columns are taken out.
/// Rounding leaves some 1e-15 of a dependent column.
constexpr double kDependent = 1e-13;

/// T such that A T has orthonormal columns, up to rounding: the inverse transpose of a Cholesky
/// factor, with the columns' norms. Leaves out dependent columns. Returns T as (cols, kept).
std::vector<double> orthonormal_factor(const std::vector<double>& squares, std::int64_t cols,
                                       std::int64_t& kept) {
  std::vector<double> norms(static_cast<std::size_t>(cols));
  for (std::int64_t j = 0; j < cols; ++j) norms[j] = std::sqrt(squares[j * cols + j]);
  // Row r of `basis`: the combination of columns that is basis vector r. Row r of `products`: its
  // scalar products with all columns of norm 1.
  std::vector<double> basis, products;
  kept = 0;
  for (std::int64_t j = 0; j < cols; ++j) {
    if (norms[j] == 0.0) continue;
    std::vector<double> combination(static_cast<std::size_t>(cols), 0.0), product(combination);
    for (std::int64_t i = 0; i < cols; ++i) {
      if (norms[i] > 0.0) product[i] = squares[j * cols + i] / (norms[i] * norms[j]);
    }
    combination[j] = 1.0;
    for (std::int64_t r = 0; r < kept; ++r) {
      const double part = products[r * cols + j];
      for (std::int64_t i = 0; i < cols; ++i) {
        product[i] -= part * products[r * cols + i];
        combination[i] -= part * basis[r * cols + i];
      }
    }
    if (!(product[j] > kDependent)) continue;
    const double scale = 1.0 / std::sqrt(product[j]);
    for (std::int64_t i = 0; i < cols; ++i) {
      product[i] *= scale;
      combination[i] *= scale;
    }
    basis.insert(basis.end(), combination.begin(), combination.end());
    products.insert(products.end(), product.begin(), product.end());
    ++kept;
  }
  std::vector<double> t(static_cast<std::size_t>(cols * kept), 0.0);
  for (std::int64_t r = 0; r < kept; ++r) {
    for (std::int64_t i = 0; i < cols; ++i) {
      if (norms[i] > 0.0) t[i * kept + r] = basis[r * cols + i] / norms[i];
    }
  }
  return t;
}

}  // namespace

std::vector<double> gram(const TallMatrix& a, ThreadPool& pool) {
  const std::int64_t size = a.cols * a.cols;
  const std::int64_t blocks = (a.rows + kTallRowsAtOnce - 1) / kTallRowsAtOnce;
  const std::int64_t parts = std::clamp<std::int64_t>(blocks, 1, kGramParts);
  std::vector<double> sums(static_cast<std::size_t>(parts * size), 0.0);
  parallel_for(pool, parts, [&](std::int64_t part) {
    double* sum = sums.data() + part * size;
    for (std::int64_t block = part * blocks / parts; block < (part + 1) * blocks / parts; ++block) {
      const std::int64_t begin = block * kTallRowsAtOnce;
      const std::int64_t rows = std::min(kTallRowsAtOnce, a.rows - begin);
      blas::multiply(a.cols, a.cols, rows, 1.0, {a.row(begin), a.cols, CblasTrans},
                     {a.row(begin), a.cols}, 1.0, sum, a.cols);
    }
  });
  for (std::int64_t part = 1; part < parts; ++part) {
    for (std::int64_t i = 0; i < size; ++i) sums[i] += sums[part * size + i];
  }
  sums.resize(static_cast<std::size_t>(size));
  return sums;
}

void multiply_right(TallMatrix& a, const std::vector<double>& t, std::int64_t new_cols,
                    ThreadPool& pool) {
  TallMatrix result(a.rows, new_cols);
  if (new_cols > 0) {
    parallel_for_ranges(pool, a.rows, kTallRowsAtOnce, [&](std::int64_t begin, std::int64_t end) {
      blas::multiply(end - begin, new_cols, a.cols, 1.0, {a.row(begin), a.cols},
                     {t.data(), new_cols}, 0.0, result.row(begin), new_cols);
    });
  }
  a = std::move(result);
}

void orthonormalize(TallMatrix& a, ThreadPool& pool) {
  for (int pass = 0; pass < 2; ++pass) {
    std::int64_t kept = 0;
    const std::vector<double> t = orthonormal_factor(gram(a, pool), a.cols, kept);
    multiply_right(a, t, kept, pool);
  }
}

}  // namespace tern
