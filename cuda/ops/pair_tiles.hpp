#pragma once

#include <algorithm>
#include <cstdint>

#include "cuda/support/batch.hpp"
#include "cuda/support/launch_shape.hpp"
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
/// Depends on the size of the batch alone, so that every GPU gives the same bits.
/// 1 <= batch_size <= kMaxPlanned.
constexpr PairCuts pair_cuts(std::int64_t batch_size) {
  constexpr std::int64_t kBlocks = 512;
  const std::int64_t rows = ceil_div(batch_size, kPairTile);
  const std::int64_t splits = std::clamp<std::int64_t>(kBlocks / rows, 1, rows);
  const std::int64_t tiles = ceil_div(rows, splits);
  return {static_cast<int>(ceil_div(rows, tiles)), static_cast<int>(tiles)};
}

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
  const std::int64_t* count = nullptr;  // rows of both tables, at most size
  BatchView batch;                      // for masks and thresholds: row t is triplet t
  CsrView observed;                     // R, only for SoftmaxMask::kObserved
  SoftmaxMask mask = SoftmaxMask::kNone;
  OwnColumn own = OwnColumn::kLeaves;
  float sharpness = 0.0F;  // log₂ e / τ
  PairCuts cuts;
  std::int64_t size = 0;    // rows of the workspace
  std::int64_t stride = 0;  // of rows

  float* units[2] = {};           // (size, stride): left, right
  float* biases = nullptr;        // (size)
  float* partials = nullptr;      // (splits, size, stride): gradients of the pass's rows
  float* split_maxima = nullptr;  // (splits, size): a row's largest logit, -inf without columns
  float* split_sums = nullptr;    // (splits, size): sum of the row's shares
  float* maxima = nullptr;        // (size): the largest logit of a row of left
  float* weights = nullptr;       // (size): of its shares
};

/// Fills partials; kLeft also split_maxima and split_sums, kSpread split_sums; kRight reads maxima and
/// weights. See pair_tiles.cu.
void launch_pair_tiles(const Queue& queue, const PairTiles& task, TilePass pass);

}  // namespace tern::cuda
