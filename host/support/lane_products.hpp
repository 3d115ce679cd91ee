#pragma once

#include <cstdint>

namespace tern {

/// Columns of the right factor.
inline constexpr std::int64_t kProductLanes = 16;

/// C = A B: A (rows, cols), B (cols, 16), C (rows, 16), all row-major without padding, f32. Every
/// element is one sum in the order of the columns: it does not depend on its place among the others,
/// as in a product by OpenBLAS, so that a column of B has the same bits alone and among others.
void multiply_lanes(const float* a, std::int64_t rows, std::int64_t cols, const float* b, float* c);

}  // namespace tern
