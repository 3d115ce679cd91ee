#pragma once

#include <cstdint>
#include <vector>

namespace tern {

/// A = Σ_j values[j] · v_j v_jᵀ, values descending.
struct SymmetricEigen {
  std::vector<double> values;
  /// (n, n) row-major: row j is v_j, of norm 1.
  std::vector<double> vectors;
};

/// All eigenvalues and eigenvectors of a symmetric A, (n, n) row-major, whose lower triangle is
/// read: Householder's reduction to a tridiagonal matrix, then QL steps with implicit shifts. O(n³)
/// in f64 on the calling thread: for a few hundred rows.
/// Throws NumericalFault if A has a number that is not finite.
/// Source: Golub and Van Loan 2013, "Matrix computations", sections 8.3.1 and 8.3.3.
SymmetricEigen symmetric_eigen(std::vector<double> a, std::int64_t n);

}  // namespace tern
