// Products of tall tables, for the losses over pairs, rankings and dense layers. A tile of the result
// stays in registers while the depth streams by: one load for each vector of its columns, one broadcast
// for each of its rows. OpenBLAS copies both factors into buffers for each call, which costs a tenth of
// a product of depth 64, and has no kernels of 512 bits for some processors that have them.

#include "host/cpu/table_products.hpp"

#include <algorithm>

#include "host/cpu/storage.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "host/cpu/table_products.cpp"
#include <hwy/foreach_target.h>  // after HWY_TARGET_INCLUDE
#include <hwy/highway.h>         // after foreach_target.h

HWY_BEFORE_NAMESPACE();
namespace tern::cpu::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;
using Tag = hn::CappedTag<float, kBlock>;
using Vector = hn::Vec<Tag>;
constexpr auto kLanes = static_cast<std::int64_t>(hn::MaxLanes(Tag()));
/// Vectors of a tile: with kTileRows rows, 24 of AVX-512's 32 registers, or 12 of 16, hold its sums.
constexpr int kTileVectors = kLanes == kBlock ? 4 : 2;
/// Rows of b at a time: with 64 columns they take 16 KiB, half of an L1 cache.
constexpr std::int64_t kDepth = 64;

/// One tile, over depth [0, depth): c = factor · (start + a b), where start is c if `add`, else 0.
template <int kRows, int kVectors>
HWY_INLINE void multiply_tile(const float* HWY_RESTRICT a, std::int64_t a_row, std::int64_t a_depth,
                              const float* HWY_RESTRICT b, std::int64_t b_stride,
                              std::int64_t depth, bool add, float factor, float* HWY_RESTRICT c,
                              std::int64_t c_stride) {
  const Tag tag;
  Vector sum[kRows][kVectors];
  for (int r = 0; r < kRows; ++r) {
    for (int v = 0; v < kVectors; ++v) {
      sum[r][v] = add ? hn::Load(tag, c + r * c_stride + v * kLanes) : hn::Zero(tag);
    }
  }
  for (std::int64_t k = 0; k < depth; ++k) {
    Vector row[kVectors];
    for (int v = 0; v < kVectors; ++v) row[v] = hn::Load(tag, b + k * b_stride + v * kLanes);
    for (int r = 0; r < kRows; ++r) {
      const Vector x = hn::Set(tag, a[r * a_row + k * a_depth]);
      for (int v = 0; v < kVectors; ++v) sum[r][v] = hn::MulAdd(x, row[v], sum[r][v]);
    }
  }
  const Vector scale = hn::Set(tag, factor);
  for (int r = 0; r < kRows; ++r) {
    for (int v = 0; v < kVectors; ++v) {
      hn::Store(hn::Mul(scale, sum[r][v]), tag, c + r * c_stride + v * kLanes);
    }
  }
}

/// Tiles of `rows` <= kRows rows and `vectors` <= kVectors vectors.
template <int kRows = kTileRows, int kVectors = kTileVectors, typename... Args>
void multiply_tile_of(std::int64_t rows, std::int64_t vectors, const Args&... args) {
  if constexpr (kRows > 1) {
    if (rows < kRows) return multiply_tile_of<kRows - 1, kVectors>(rows, vectors, args...);
  }
  if constexpr (kVectors > 1) {
    if (vectors < kVectors) return multiply_tile_of<kRows, kVectors - 1>(rows, vectors, args...);
  }
  multiply_tile<kRows, kVectors>(args...);
}

}  // namespace

void multiply_tables(const TableProduct& p) {
  constexpr std::int64_t kTileCols = kTileVectors * kLanes;
  for (std::int64_t k = 0; k == 0 || k < p.depth; k += kDepth) {
    const std::int64_t depth = std::min(kDepth, p.depth - k);
    const bool last = k + kDepth >= p.depth;
    for (std::int64_t i = 0; i < p.rows; i += kTileRows) {
      const std::int64_t rows = std::min<std::int64_t>(kTileRows, p.rows - i);
      for (std::int64_t j = 0; j < p.cols; j += kTileCols) {
        const std::int64_t vectors = std::min(kTileCols, p.cols - j) / kLanes;
        multiply_tile_of(rows, vectors, p.a + i * p.a_row + k * p.a_depth, p.a_row, p.a_depth,
                         p.b + k * p.b_stride + j, p.b_stride, depth, p.add || k > 0,
                         last ? p.factor : 1.0F, p.c + i * p.c_stride + j, p.c_stride);
      }
    }
  }
}

void pack_rows(const float* HWY_RESTRICT table, std::int64_t count, std::int64_t stride,
               std::int64_t first, float* HWY_RESTRICT panel) {
  const std::int64_t rows = std::clamp<std::int64_t>(count - first, 0, kPanel);
  for (std::int64_t f = 0; f < stride; f += kBlock) {
    for (std::int64_t r = 0; r < kPanel; ++r) {
      const float* from = table + (first + r) * stride + f;
      for (std::int64_t k = 0; k < kBlock; ++k) {
        panel[(f + k) * kPanel + r] = r < rows ? from[k] : 0.0F;
      }
    }
  }
}

}  // namespace tern::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tern::cpu {
HWY_EXPORT(multiply_tables);
HWY_EXPORT(pack_rows);

ProductKernels choose_product_kernels() {
  return {HWY_DYNAMIC_DISPATCH(multiply_tables), HWY_DYNAMIC_DISPATCH(pack_rows)};
}

}  // namespace tern::cpu
#endif  // HWY_ONCE
