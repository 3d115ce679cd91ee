#pragma once

#include <cstdint>
#include <span>

#include "cuda/support/launch_shape.hpp"
#include "tern/types.hpp"
#include "tern/view.hpp"

struct cublasContext;
using cublasHandle_t = cublasContext*;

namespace tern::cuda {

struct Queue;

/// Best items that are sorted in shared memory; longer lists are sorted in global memory.
inline constexpr std::int64_t kSharedBest = 1024;

/// Room for the sort of a list of k: the next power of two.
constexpr std::int64_t sorting_room(std::int64_t k) {
  std::int64_t room = 1;
  while (room < k) room *= 2;
  return room;
}

/// Queries that are scored at a time: their (queries, items) scores shall stay within half of the
/// L2 cache, since five passes go over them; at least one, at most 4096, and no more than there
/// are.
constexpr std::int64_t query_block(std::int64_t queries, std::int64_t items,
                                   std::int64_t cache_bytes) {
  const std::int64_t fitting = cache_bytes / 2 / (4 * (items > 0 ? items : 1));
  const std::int64_t block = fitting < 1 ? 1 : (fitting > 4096 ? 4096 : fitting);
  return block < queries ? block : queries;
}

/// One block of queries against all items; all pointers on the device but `observed`.
struct ScoreTopkTask {
  MatrixView<const float> users;
  MatrixView<const float> items;
  const NodeId* queries = nullptr;  // (num_queries): rows of users
  std::int64_t num_queries = 0;
  std::span<const CsrView> observed;  // on the host; their arrays on the device
  std::int64_t k = 0;

  float* gathered = nullptr;      // (num_queries, users' stride): workspace
  float* scores = nullptr;        // (num_queries, items): workspace
  std::uint64_t* keys = nullptr;  // (num_queries, sorting_room(k)) where k > kSharedBest: workspace
  NodeId* top_items = nullptr;    // (num_queries, k)
  float* top_scores = nullptr;    // (num_queries, k)
};

/// scores = gathered · itemsᵀ, row-major (num_queries, items), by cuBLAS in f32.
struct ProductTask {
  const float* gathered;
  MatrixView<const float> items;
  float* scores;
  std::int64_t num_queries;
};

/// One block of queries; the caller cuts them, and brings the results to the host.
void launch_score_topk(const Queue& queue, cublasHandle_t cublas, const ScoreTopkTask& task);

}  // namespace tern::cuda
