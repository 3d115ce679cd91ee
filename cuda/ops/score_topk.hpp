#pragma once

#include <cstddef>
#include <cstdint>

#include "tern/view.hpp"

namespace tern::cuda {

struct Queue;

/// Up to this k a block keeps a query's candidates in shared memory; beyond, a row of scores is
/// sorted whole.
inline constexpr std::int64_t kMostSelected = 1024;

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
/// missing is item -1, score -inf. Exact. `sorting`: for k > kMostSelected, select_bytes() of it.
void launch_select(const Queue& queue, const SelectTask& task, void* sorting, std::size_t bytes);
/// Temporary storage that selecting `count` rows takes; 0 for k <= kMostSelected.
std::size_t select_bytes(std::int64_t count, NodeId num_items, std::int64_t k);

}  // namespace tern::cuda
