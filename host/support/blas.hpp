#pragma once

#include <cblas.h>

#include <cstdint>

// Products of row-major blocks by OpenBLAS, in f32 or f64 by the type of the operands. Each runs on
// the calling thread alone after prepare_blas().

namespace tern::blas {

/// A block of a row-major matrix, or its transpose, as an operand.
template <typename Real>
struct Operand {
  const Real* data = nullptr;
  std::int64_t stride = 0;
  CBLAS_TRANSPOSE form = CblasNoTrans;
};

/// C = alpha · A B + beta · C; (m, k), (k, n), (m, n) after transposition. k may be 0.
inline void multiply(std::int64_t m, std::int64_t n, std::int64_t k, float alpha, Operand<float> a,
                     Operand<float> b, float beta, float* c, std::int64_t stride) {
  cblas_sgemm(CblasRowMajor, a.form, b.form, static_cast<int>(m), static_cast<int>(n),
              static_cast<int>(k), alpha, a.data, static_cast<int>(a.stride), b.data,
              static_cast<int>(b.stride), beta, c, static_cast<int>(stride));
}
inline void multiply(std::int64_t m, std::int64_t n, std::int64_t k, double alpha,
                     Operand<double> a, Operand<double> b, double beta, double* c,
                     std::int64_t stride) {
  cblas_dgemm(CblasRowMajor, a.form, b.form, static_cast<int>(m), static_cast<int>(n),
              static_cast<int>(k), alpha, a.data, static_cast<int>(a.stride), b.data,
              static_cast<int>(b.stride), beta, c, static_cast<int>(stride));
}

/// A = A L⁻ᵀ for a lower triangle L: A is (m, n), L is (n, n).
inline void divide_by_transposed(std::int64_t m, std::int64_t n, const float* l,
                                 std::int64_t l_stride, float* a, std::int64_t a_stride) {
  cblas_strsm(CblasRowMajor, CblasRight, CblasLower, CblasTrans, CblasNonUnit, static_cast<int>(m),
              static_cast<int>(n), 1.0F, l, static_cast<int>(l_stride), a,
              static_cast<int>(a_stride));
}
inline void divide_by_transposed(std::int64_t m, std::int64_t n, const double* l,
                                 std::int64_t l_stride, double* a, std::int64_t a_stride) {
  cblas_dtrsm(CblasRowMajor, CblasRight, CblasLower, CblasTrans, CblasNonUnit, static_cast<int>(m),
              static_cast<int>(n), 1.0, l, static_cast<int>(l_stride), a,
              static_cast<int>(a_stride));
}

}  // namespace tern::blas
