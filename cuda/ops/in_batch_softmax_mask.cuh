#pragma once

// The pairs of a tile that do not count, and SoftmaxMask on the device.

#include "cuda/ops/pair_tiles.cuh"
#include "tern/view.hpp"

namespace tern::cuda {
namespace {

/// Whether the user has the item.
__device__ inline bool has_item(const CsrView& observed, NodeId user, NodeId item) {
  EdgeOffset low = observed.offsets[user];
  EdgeOffset high = observed.offsets[user + 1];
  while (low < high) {
    const EdgeOffset middle = low + (high - low) / 2;
    if (__ldg(observed.columns + middle) < item) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low < observed.offsets[user + 1] && observed.columns[low] == item;
}

/// Bit kTileColumns · i + j: the user of that pair has its item, by the mask of observed pairs. Pairs
/// beyond the tables may have any bit.
template <TilePass kPass>
__device__ inline unsigned observed_pairs(const PairTiles& task, const TilePlace<kPass>& place,
                                          const TileThread& thread, int first_column,
                                          const TilePairs& rows, const TilePairs& columns) {
  unsigned observed = 0;
  if constexpr (kPass == TilePass::kLeft) {
    const std::uint64_t* words =
        task.observed_words + task.observed_word(place.first, first_column / kPairTile);
#pragma unroll 4  // more loads at once would need more registers than there are
    for (int i = 0; i < kTileRows; ++i) {
      const int r = thread.row(i);
      if (place.first + r >= rows.count) continue;  // nobody has written its word
      const std::uint64_t word = __ldg(words + r) >> thread.lane;
#pragma unroll
      for (int j = 0; j < kTileColumns; ++j) {
        observed |= static_cast<unsigned>(word >> (kTileRowLanes * j) & 1u)
                    << (kTileColumns * i + j);
      }
    }
  } else {
    const std::uint64_t* words =
        task.observed_words + task.observed_word(first_column, place.first / kPairTile);
#pragma unroll
    for (int j = 0; j < kTileColumns; ++j) {
      const int c = thread.column(j);
      if (first_column + c >= columns.count) continue;
      const std::uint64_t word = __ldg(words + c) >> thread.group;
#pragma unroll
      for (int i = 0; i < kTileRows; ++i) {
        observed |= static_cast<unsigned>(word >> (kTileRowGroups * i) & 1u)
                    << (kTileColumns * i + j);
      }
    }
  }
  return observed;
}

/// Bit kTileColumns · i + j: the thread's row i and column j are no pair of the sum.
template <TilePass kPass>
__device__ inline unsigned excluded_pairs(const PairTiles& task, const TilePlace<kPass>& place,
                                          const TileThread& thread, int first_column,
                                          const TilePairs& rows, const TilePairs& columns) {
  const SoftmaxMask mask = task.mask;
  const bool edge =
      place.first + kPairTile > rows.count || first_column + kPairTile > columns.count;
  const bool own = task.own == OwnColumn::kCounts;
  bool searches = mask != SoftmaxMask::kNone;
  unsigned excluded = 0;
  if constexpr (kPass != TilePass::kSpread) {
    if (mask == SoftmaxMask::kObserved && task.observed_words != nullptr) {
      excluded = observed_pairs<kPass>(task, place, thread, first_column, rows, columns);
      searches = false;
    }
  }
  if (!searches && !edge && (own || place.first != first_column)) return excluded;
#pragma unroll 1  // unrolled, the search takes most of the kernel's instructions
  for (int bit = 0; bit < kTileRows * kTileColumns; ++bit) {
    const int r = thread.row(bit / kTileColumns);
    const int c = thread.column(bit % kTileColumns);
    const int row = place.first + r;
    const int column = first_column + c;
    bool out = (row == column && !own) || row >= rows.count || column >= columns.count;
    if (kPass != TilePass::kSpread && !out && searches) {
      const NodeId user = kPass == TilePass::kLeft ? rows.keys[r] : columns.keys[c];
      const NodeId item = kPass == TilePass::kLeft ? columns.keys[c] : rows.keys[r];
      out = mask == SoftmaxMask::kSameItem ? user == item : has_item(task.observed, user, item);
    }
    excluded |= (out ? 1u : 0u) << bit;
  }
  return excluded;
}

}  // namespace
}  // namespace tern::cuda
