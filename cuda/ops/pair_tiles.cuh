#pragma once

// Shapes of the kernel of pair_tiles.cu: what a block and a thread of it work on.

#include <cuda_runtime.h>

#include "cuda/ops/pair_tiles.hpp"
#include "cuda/support/vector.cuh"

namespace tern::cuda {
namespace {

constexpr int kTileThreads = 128;
/// Blocks on a multiprocessor for 64 columns of the gradient, and for 128: 16 warps with 128 registers
/// a thread, 8 or more with up to 255 (ptxas 13.0: no spills on any architecture; not measured yet).
template <int kChunks>
constexpr int kTileBlocks = kChunks == 1 ? 4 : 2;
/// Threads that share rows, and the rows and columns of each thread.
constexpr int kTileRowLanes = 16;
constexpr int kTileRowGroups = kTileThreads / kTileRowLanes;
constexpr int kTileRows = kPairTile / kTileRowGroups;
constexpr int kTileColumns = kPairTile / kTileRowLanes;
/// Vectors of a unit row in a slice of logits, and of the gradient that a thread group has at once.
constexpr int kTileSlice = 8;
constexpr int kTileChunk = kTileRowLanes;
/// Vectors from row to row in shared memory.
constexpr int kSliceStride = kTileSlice + 1;
constexpr int kChunkStride = kTileChunk + 1;
constexpr int kShareStride = kPairTile / static_cast<int>(kVector) + 1;
constexpr int kOperands = kPairTile * 2 * kSliceStride;
static_assert(kOperands >= kPairTile * kChunkStride);

/// The rows or columns of a tile, in shared memory.
struct TilePairs {
  int count;               // of the whole table; kept in shared memory because registers are scarce
  NodeId keys[kPairTile];  // left: item or user, as the mask asks; right: the item
  float shifts[kPairTile];   // added to the logits: bias, or minus the largest
  float weights[kPairTile];  // of left in the pass over right rows
};

/// The tables of a pass: 0 is left, 1 is right.
template <TilePass kPass>
constexpr int kRowTable = kPass == TilePass::kRight ? 1 : 0;

/// A block's rows [first, first + kPairTile), and its tiles [begin, end) of columns.
template <TilePass kPass>
struct TilePlace {
  static constexpr int kTable = kRowTable<kPass>;
  int first;
  int begin;
  int end;

  __device__ TilePlace(const PairTiles& task, int columns)
      : first(static_cast<int>(blockIdx.x) / task.cuts[kTable].splits * kPairTile),
        begin(split(task) * task.cuts[kTable].tiles),
        end(min(begin + task.cuts[kTable].tiles, (columns + kPairTile - 1) / kPairTile)) {}
  __device__ static int split(const PairTiles& task) {
    return static_cast<int>(blockIdx.x) % task.cuts[kTable].splits;
  }
};

/// This thread's rows are group + kTileRowGroups · i, its columns lane + kTileRowLanes · j.
struct TileThread {
  int lane = static_cast<int>(threadIdx.x) % kTileRowLanes;
  int group = static_cast<int>(threadIdx.x) / kTileRowLanes;

  __device__ TileThread() {}
  __device__ int row(int i) const { return group + kTileRowGroups * i; }
  __device__ int column(int j) const { return lane + kTileRowLanes * j; }
};

using TileLogits = float[kTileRows][kTileColumns];

}  // namespace
}  // namespace tern::cuda
