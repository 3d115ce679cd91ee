#pragma once

#include <cstdint>

namespace tern::cpu {

/// c = factor · (a b), or c += a b: a is (rows, depth) with a(i, k) = a[i · a_row + k · a_depth], b is
/// (depth, cols), c (rows, cols). cols is a multiple of kBlock; rows of b and c begin on a vector.
/// Each element is one sum in the order of k, in the same way for any split of the rows.
struct TableProduct {
  const float* a = nullptr;
  std::int64_t a_row = 0;
  std::int64_t a_depth = 0;
  const float* b = nullptr;
  std::int64_t b_stride = 0;
  float* c = nullptr;
  std::int64_t c_stride = 0;
  std::int64_t rows = 0;
  std::int64_t depth = 0;
  std::int64_t cols = 0;
  bool add = false;
  float factor = 1.0F;  // 1 with add
};

/// Columns of a panel of a packed table.
inline constexpr std::int64_t kPanel = 64;
/// Rows of a strip should be a multiple of the rows of a tile.
inline constexpr std::int64_t kTileRows = 6;

struct ProductKernels {
  void (*multiply)(const TableProduct& product);
  /// Writes rows [first, first + kPanel) of a table, (count, stride), as columns: (stride, kPanel), so
  /// that a product with them reads whole vectors. Rows from count on are zeros.
  void (*pack)(const float* table, std::int64_t count, std::int64_t stride, std::int64_t first,
               float* panel);
};
ProductKernels choose_product_kernels();

}  // namespace tern::cpu
