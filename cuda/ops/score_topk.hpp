#pragma once

#include <cstddef>
#include <cstdint>

#include "tern/view.hpp"

namespace tern::cuda {

struct Queue;

/// Up to this k a block keeps a query's candidates in shared memory; beyond, a row of scores is
/// sorted whole.
inline constexpr std::int64_t kMaxSelected = 1024;

/// How queries are cut: scores are made and selected from a block at a time, and what was selected
/// is brought to the host a chunk of whole blocks at a time.
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
  // More would make grids no fuller.
  constexpr std::int64_t kMaxQueries = 4096;
  const std::int64_t row_bytes = stride * static_cast<std::int64_t>(sizeof(float));
  // By division: k, which the caller chooses, must not overflow.
  const std::int64_t rows_of_results =
      limits.results / static_cast<std::int64_t>(sizeof(NodeId) + sizeof(float)) / k;
  QueryCuts cuts;
  cuts.block = limits.scores / row_bytes;
  if (cuts.block > kMaxQueries) cuts.block = kMaxQueries;
  if (cuts.block > rows_of_results) cuts.block = rows_of_results;
  if (cuts.block < 1) cuts.block = 1;
  if (cuts.block > count) cuts.block = count;
  cuts.chunk = rows_of_results / cuts.block * cuts.block;
  if (cuts.chunk < cuts.block) cuts.chunk = cuts.block;
  if (cuts.chunk > count) cuts.chunk = count;
  return cuts;
}

/// The rows of `users` at a block of queries, gathered: out (count, stride).
struct GatherTask {
  MatrixView<const float> users;
  const NodeId* queries = nullptr;
  std::int64_t count = 0;
  float* out = nullptr;
};
void launch_gather(const Queue& queue, const GatherTask& task);

/// Scores of a block of queries (count, num_items) with a stride, and what is selected of them.
struct SelectTask {
  const NodeId* queries = nullptr;
  std::int64_t count = 0;
  float* scores = nullptr;
  std::int64_t stride = 0;
  NodeId num_items = 0;
  std::int64_t k = 0;
  NodeId* top_items = nullptr;  // (count, k)
  float* top_scores = nullptr;  // (count, k)
};

/// Scores of a query's observed items become -inf.
void launch_mask(const Queue& queue, const SelectTask& task, const CsrView& observed);

/// The k best scores of each query, ties by ascending item; -inf and NaN are no candidates: what is
/// missing is item -1, score -inf. Exact. `sorting`: for k > kMaxSelected, select_bytes() of it.
void launch_select(const Queue& queue, const SelectTask& task, void* sorting, std::size_t bytes);
/// Bytes of the keys of so many rows, a whole number of 256, which is how CUB wants what follows.
constexpr std::size_t select_key_bytes(std::int64_t count, NodeId num_items) {
  constexpr std::size_t kAlignment = 256;
  const std::size_t bytes = static_cast<std::size_t>(count) * static_cast<std::size_t>(num_items) *
                            sizeof(unsigned long long);
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}
/// Temporary storage that selecting `count` rows takes; 0 for k <= kMaxSelected.
std::size_t select_bytes(std::int64_t count, NodeId num_items, std::int64_t k);

}  // namespace tern::cuda
