#include "host/support/positive_definite.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "host/support/blas.hpp"
#include "host/support/blas_memory.hpp"
#include "host/support/parallel.hpp"
#include "tern/error.hpp"

namespace tern {
namespace {

/// A = L Lᵀ in the lower triangle of one tile; zeros above it. False if A is not positive definite.
template <typename Real>
bool factor_tile(Real* a, std::int64_t stride, std::int64_t size) {
  for (std::int64_t j = 0; j < size; ++j) {
    for (std::int64_t i = j; i < size; ++i) {
      double sum = a[i * stride + j];
      for (std::int64_t m = 0; m < j; ++m) {
        sum -= static_cast<double>(a[i * stride + m]) * static_cast<double>(a[j * stride + m]);
      }
      if (i == j && !(sum > 0.0)) return false;
      const double pivot = i == j ? std::sqrt(sum) : static_cast<double>(a[j * stride + j]);
      a[i * stride + j] = static_cast<Real>(i == j ? pivot : sum / pivot);
    }
    std::fill(a + j * stride + j + 1, a + j * stride + size, Real{0});
  }
  return true;
}

/// L = L⁻¹ for the lower triangle of one tile.
template <typename Real>
void invert_tile(Real* l, std::int64_t stride, std::int64_t size) {
  for (std::int64_t j = 0; j < size; ++j) {
    l[j * stride + j] = static_cast<Real>(1.0 / static_cast<double>(l[j * stride + j]));
    for (std::int64_t i = j + 1; i < size; ++i) {
      double sum = 0.0;
      for (std::int64_t m = j; m < i; ++m) {
        sum += static_cast<double>(l[i * stride + m]) * static_cast<double>(l[m * stride + j]);
      }
      l[i * stride + j] = static_cast<Real>(-sum / static_cast<double>(l[i * stride + i]));
    }
  }
}

template <typename Real>
class TiledInverse {
 public:
  TiledInverse(Real* a, std::int64_t n, ThreadPool& pool,
               const std::function<void(double)>& on_progress)
      : a_(a),
        n_(n),
        tiles_((n + kInverseTile - 1) / kInverseTile),
        pool_(pool),
        on_progress_(on_progress),
        column_(static_cast<std::size_t>(n * kInverseTile)) {}

  void run() {
    for (std::int64_t k = 0; k < tiles_; ++k) factor_column(k);
    for (std::int64_t j = tiles_ - 1; j >= 0; --j) invert_column(j);
    for (std::int64_t i = 0; i < tiles_; ++i) multiply_row(i);
    parallel_for(pool_, tiles_, [&](std::int64_t i) { mirror_row(i); });
  }

 private:
  using Operand = blas::Operand<Real>;

  static std::int64_t begin(std::int64_t tile) { return tile * kInverseTile; }
  std::int64_t size(std::int64_t tile) const { return std::min(kInverseTile, n_ - begin(tile)); }
  Real* at(std::int64_t i, std::int64_t j) const { return a_ + begin(i) * n_ + begin(j); }

  /// work: products of tiles.
  void note(std::int64_t work) {
    done_ += work;
    const std::int64_t all = (tiles_ * tiles_ * tiles_ + tiles_) / 2;  // about
    if (on_progress_) {
      on_progress_(std::min(1.0, static_cast<double>(done_) / static_cast<double>(all)));
    }
  }

  /// Tile (i, k) minus the products of the finished columns before it.
  void subtract_earlier(std::int64_t i, std::int64_t k) {
    if (k == 0) return;
    blas::multiply(size(i), size(k), begin(k), Real{-1}, Operand{at(i, 0), n_},
                   Operand{at(k, 0), n_, CblasTrans}, Real{1}, at(i, k), n_);
  }

  /// Column k of L.
  void factor_column(std::int64_t k) {
    subtract_earlier(k, k);
    if (!factor_tile(at(k, k), n_, size(k))) {
      throw NumericalFault("the matrix is not positive definite in this precision");
    }
    parallel_for(pool_, tiles_ - k - 1, [&](std::int64_t index) {
      const std::int64_t i = k + 1 + index;
      subtract_earlier(i, k);
      blas::divide_by_transposed(size(i), size(k), at(k, k), n_, at(i, k), n_);
    });
    note((tiles_ - k) * k);
  }

  /// Column j of M = L⁻¹ from the later ones: M_jj = L_jj⁻¹, M_ij = -Σ_m M_im L_mj M_jj, j < m ≤ i.
  void invert_column(std::int64_t j) {
    invert_tile(at(j, j), n_, size(j));
    const std::int64_t below = j + 1;
    parallel_for(pool_, tiles_ - below, [&](std::int64_t index) {
      const std::int64_t m = below + index;
      blas::multiply(size(m), size(j), size(j), Real{-1}, Operand{at(m, j), n_},
                     Operand{at(j, j), n_}, Real{0}, column_.data() + begin(index) * kInverseTile,
                     kInverseTile);
    });
    parallel_for(pool_, tiles_ - below, [&](std::int64_t index) {
      const std::int64_t i = tiles_ - 1 - index;  // the longest sums first
      blas::multiply(size(i), size(j), begin(i) + size(i) - begin(below), Real{1},
                     Operand{at(i, below), n_}, Operand{column_.data(), kInverseTile}, Real{0},
                     at(i, j), n_);
    });
    note((tiles_ - below) * (tiles_ - j) / 2);
  }

  /// Row i of P = Mᵀ M: P_ij = Σ_m M_miᵀ M_mj, m ≥ i ≥ j. The later rows still hold M.
  void multiply_row(std::int64_t i) {
    Real* diagonal = column_.data();  // M_ii, which tile (i, i) of P replaces
    for (std::int64_t r = 0; r < size(i); ++r) {
      std::copy_n(at(i, i) + r * n_, size(i), diagonal + r * kInverseTile);
    }
    const std::int64_t rest = n_ - begin(i) - size(i);
    parallel_for_with(
        pool_, i + 1, [] { return std::vector<Real>(kInverseTile * kInverseTile); },
        [&](std::int64_t j, std::vector<Real>& own) {
          for (std::int64_t r = 0; r < size(i); ++r) {
            std::copy_n(at(i, j) + r * n_, size(j), own.data() + r * kInverseTile);
          }
          const Real* tile = j == i ? diagonal : own.data();
          blas::multiply(size(i), size(j), size(i), Real{1},
                         Operand{diagonal, kInverseTile, CblasTrans}, Operand{tile, kInverseTile},
                         Real{0}, at(i, j), n_);
          if (rest == 0) return;
          blas::multiply(size(i), size(j), rest, Real{1}, Operand{at(i + 1, i), n_, CblasTrans},
                         Operand{at(i + 1, j), n_}, Real{1}, at(i, j), n_);
        });
    note((i + 1) * (tiles_ - i));
  }

  /// Copies the lower triangle of row i to the upper one.
  void mirror_row(std::int64_t i) {
    for (std::int64_t j = 0; j <= i; ++j) {
      for (std::int64_t r = 0; r < size(i); ++r) {
        const std::int64_t last = j == i ? r : size(j);
        for (std::int64_t c = 0; c < last; ++c) at(j, i)[c * n_ + r] = at(i, j)[r * n_ + c];
      }
    }
  }

  Real* a_;
  std::int64_t n_;
  std::int64_t tiles_;
  ThreadPool& pool_;
  const std::function<void(double)>& on_progress_;
  std::vector<Real> column_;
  std::int64_t done_ = 0;
};

}  // namespace

void invert_positive_definite(float* a, std::int64_t n, ThreadPool& pool,
                              const std::function<void(double)>& on_progress) {
  prepare_blas(pool);
  TiledInverse<float>(a, n, pool, on_progress).run();
}

void invert_positive_definite(double* a, std::int64_t n, ThreadPool& pool,
                              const std::function<void(double)>& on_progress) {
  prepare_blas(pool);
  TiledInverse<double>(a, n, pool, on_progress).run();
}

}  // namespace tern
