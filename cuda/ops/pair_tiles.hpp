#pragma once

#include <algorithm>
#include <cstdint>

#include "cuda/support/batch.hpp"
#include "cuda/support/launch_shape.hpp"
#include "host/backend/pair_layout.hpp"
#include "tern/backend.hpp"
#include "tern/view.hpp"

namespace tern::cuda {

struct Queue;

/// Rows and columns of a tile of logits.
inline constexpr int kPairTile = 64;

/// Logits are kept as powers of two: logit · log₂ e.
inline constexpr double kLog2E = 1.4426950408889634;

/// How the columns of a row of tiles are shared by blocks: `splits` of them, `tiles` tiles each.
struct PairCuts {
  int splits = 1;
  int tiles = 1;
};

/// 512 blocks are one wave on an H100: four on each of its 132 multiprocessors, whose registers hold
/// no more (counted, not measured). No more splits than that: each writes a gradient of its own.
/// Depends on the sizes of the tables alone, so that every GPU gives the same bits.
/// 1 <= rows, columns <= kMaxPlanned.
constexpr PairCuts pair_cuts(std::int64_t rows, std::int64_t columns) {
  constexpr std::int64_t kBlocks = 512;
  const std::int64_t row_tiles = ceil_div(rows, kPairTile);
  const std::int64_t column_tiles = ceil_div(columns, kPairTile);
  const std::int64_t splits = std::clamp<std::int64_t>(kBlocks / row_tiles, 1, column_tiles);
  const std::int64_t tiles = ceil_div(column_tiles, splits);
  return {static_cast<int>(ceil_div(column_tiles, tiles)), static_cast<int>(tiles)};
}
/// The same for two tables of `size` rows.
constexpr PairCuts pair_cuts(std::int64_t size) {
  return pair_cuts(size, size);
}

/// Words of the mask of observed pairs for as many rows of left and right.
constexpr std::int64_t observed_words_size(std::int64_t rows, std::int64_t columns) {
  return ceil_div(rows, kPairTile) * kPairTile * ceil_div(columns, kPairTile);
}
static_assert(kPairTile == 64);

/// One product of two tables of unit rows, whose logits are powers of two:
/// l_tj = sharpness · left_t·right_j + bias. A share is a power; its column's row is added, times the
/// share, to the gradient of its row.
enum class TilePass : std::uint8_t {
  kLeft,    // rows left, columns right, with biases; shares 2^(l - largest of the row so far)
  kRight,   // rows right, with biases, columns left; shares weight · 2^(l - largest) of the column
  kSpread,  // left is right, biases of rows and columns; shares 2^l
};

/// Whether a row's own column counts.
enum class OwnColumn : std::uint8_t { kLeaves, kCounts };

/// All pointers on the device.
struct PairTiles {
  /// The number of triplets, or of nodes, from which the layout computes the rows of both tables.
  const std::int64_t* count = nullptr;
  PairLayout layout;  // of the batch's triplets
  BatchView batch;    // for masks and thresholds
  CsrView observed;   // R, only for SoftmaxMask::kObserved
  SoftmaxMask mask = SoftmaxMask::kNone;
  OwnColumn own = OwnColumn::kLeaves;
  float sharpness = 0.0F;      // log₂ e / τ
  PairCuts cuts[2];            // [table]: of the pass over its rows
  std::int64_t sizes[2] = {};  // [table]: rows of the workspace, at least those of the table
  std::int64_t stride = 0;     // of rows

  float* units[2] = {};     // (sizes, stride): left, right
  float* biases = nullptr;  // (sizes[1])
  /// (sizes), read with a mask: the item or user of a row of left, as the mask asks, and the item of one
  /// of right.
  NodeId* keys[2] = {};
  /// With SoftmaxMask::kObserved: for each pair, whether the user of the row of left has the item of
  /// that of right, as in_batch_softmax_observed.cu fills it. Null: each pass searches for it.
  std::uint64_t* observed_words = nullptr;
  float* partials = nullptr;      // (splits, size, stride): gradients of the pass's rows
  float* split_maxima = nullptr;  // (splits, sizes[0]): a row's largest logit, -inf without columns
  float* split_sums = nullptr;    // (splits, sizes[0]): sum of the row's shares
  float* maxima = nullptr;        // (sizes[0]): the largest logit of a row of left
  float* weights = nullptr;       // (sizes[0]): of its shares

  TERN_HD std::int64_t rows() const { return layout.rows(*count); }
  TERN_HD std::int64_t columns() const { return layout.columns(*count); }
  /// The word of a row of left and a tile of right's rows, whose bit i is row i of the tile. The words
  /// of a tile of pairs lie side by side.
  TERN_HD std::int64_t observed_word(std::int64_t row, std::int64_t column_tile) const {
    const std::int64_t tile = row / kPairTile * ceil_div(sizes[1], kPairTile) + column_tile;
    return tile * kPairTile + row % kPairTile;
  }
  /// Room for as many rows of left and right, and the cuts of their tiles.
  constexpr void set_sizes(std::int64_t left, std::int64_t right) {
    sizes[0] = left;
    sizes[1] = right;
    cuts[0] = pair_cuts(left, right);
    cuts[1] = pair_cuts(right, left);
  }
};

/// Fills partials; kLeft also split_maxima and split_sums, kSpread split_sums; kRight reads maxima and
/// weights. See pair_tiles.cu.
void launch_pair_tiles(const Queue& queue, const PairTiles& task, TilePass pass);

}  // namespace tern::cuda
