#pragma once

#include <cstddef>
#include <cstdint>

#include "tern/types.hpp"

namespace tern::cuda {

/// Up to this k a block keeps a query's candidates in shared memory; for a greater k the whole row
/// of scores is sorted.
inline constexpr std::int64_t kMaxSelected = 1024;

/// How queries are cut: scores are computed and selected from a block at a time, and the results
/// are brought to the host a chunk of whole blocks at a time. If the results of one block are too
/// many, chunks are parts of blocks.
///
/// Every block is one product of the same shape, filled up if its queries are fewer: the library
/// chooses its kernel by the shape, and the bits of a score depend on the kernel. So the block
/// depends on the table of items and on the device alone, and a user's scores do not depend on which
/// other users, or how many items, were asked for.
struct QueryCuts {
  std::int64_t block = 0;
  std::int64_t chunk = 0;
};
/// Bytes that a block's scores and a chunk's results may take; one query is always allowed.
struct QueryLimits {
  std::int64_t scores = 0;
  std::int64_t results = 0;
};
/// count, stride, k >= 1. Scores of a block should fill half of the L2 cache, so that mask and
/// selection read them from there.
constexpr QueryCuts cut_queries(std::int64_t count, std::int64_t stride, std::int64_t k,
                                QueryLimits limits) {
  // More queries would not fill the GPU any better.
  constexpr std::int64_t kMaxQueries = 4096;
  const std::int64_t row_bytes = stride * static_cast<std::int64_t>(sizeof(float));
  // By division: a product with k, which the caller chooses, could overflow.
  const std::int64_t rows_of_results =
      limits.results / static_cast<std::int64_t>(sizeof(NodeId) + sizeof(float)) / k;
  QueryCuts cuts;
  cuts.block = limits.scores / row_bytes;
  if (cuts.block > kMaxQueries) cuts.block = kMaxQueries;
  if (cuts.block < 1) cuts.block = 1;
  // Whole tiles of the product, of up to 128 rows: the rest of a tile would take as long as the whole.
  // And GPUs with different caches mostly give the same bits.
  for (std::int64_t tile = 128; tile > 1; tile /= 2) {
    if (cuts.block >= tile) {
      cuts.block = cuts.block / tile * tile;
      break;
    }
  }
  cuts.chunk = rows_of_results;
  if (cuts.chunk > cuts.block) cuts.chunk = cuts.chunk / cuts.block * cuts.block;
  if (cuts.chunk < 1) cuts.chunk = 1;
  if (cuts.chunk > count) cuts.chunk = count;
  return cuts;
}

/// Bytes of the keys of `count` rows, rounded up to the alignment of CUB's storage behind them.
constexpr std::size_t select_key_bytes(std::int64_t count, NodeId num_items) {
  constexpr std::size_t kAlignment = 256;
  const std::size_t bytes = static_cast<std::size_t>(count) * static_cast<std::size_t>(num_items) *
                            sizeof(unsigned long long);
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

}  // namespace tern::cuda
