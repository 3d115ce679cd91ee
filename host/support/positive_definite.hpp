#pragma once

#include <cstdint>
#include <functional>

#include "host/support/thread_pool.hpp"

namespace tern {

/// A = A⁻¹ in place, for a symmetric positive definite A: (n, n) row-major without padding. Reads
/// the lower triangle, writes both. n³ flops, and n · kInverseTile values of workspace.
///
/// By tiles: A = L Lᵀ (Cholesky), L⁻¹, then A⁻¹ = L⁻ᵀ L⁻¹. Each tile is computed by one thread in a
/// fixed order, the factor of a diagonal tile with sums in f64: the same bits for any number of
/// threads. LAPACK has the same steps (potrf, trtri, lauum), but the OpenBLAS that a distribution of
/// Tern holds is built without it, and its threads change the bits.
///
/// on_progress, if there is one, gets the done share of the work, on the calling thread; what it throws
/// ends the work.
/// Throws NumericalFault if A is not positive definite in this precision, MemoryError.
void invert_positive_definite(float* a, std::int64_t n, ThreadPool& pool,
                              const std::function<void(double)>& on_progress = {});
void invert_positive_definite(double* a, std::int64_t n, ThreadPool& pool,
                              const std::function<void(double)>& on_progress = {});

/// Rows and columns of a tile: products of 256³ run at the full speed of a core, and three such tiles
/// of f32 (768 KiB) fit its second-level cache.
inline constexpr std::int64_t kInverseTile = 256;

}  // namespace tern
