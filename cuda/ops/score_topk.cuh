#pragma once

// The best items of a block of queries, around one matrix product (cuBLAS): queries gathered,
// product, observed items masked, k best selected. The block is chosen so that its scores stay in
// the L2 cache: U × I scores never exist (cuda/score_topk.cu).
//
// Selection: one block of threads a query. A score and its item make one 64-bit key, larger is
// better, no two alike, so that ties are settled by construction. Each thread finds its best key in
// one pass over the row; the k-th best of these is a bound that k keys reach. A second pass
// collects what reaches it, seldom much more than k, into shared memory, and a bitonic sort orders
// it. Where too many reach it (the best items all fell to a few threads, or k is more than the
// threads), the bound is raised by bisection, a pass over the row a step; it ends, since keys are
// distinct. 2·I·4 bytes read a query, from the cache.

#include "cuda/ops/score_topk.hpp"

#include <cuda_runtime.h>

#include "cuda/support/block.cuh"
#include "cuda/support/launch_shape.hpp"
#include "cuda/support/vector.cuh"

namespace tern::cuda {
namespace {

constexpr int kTopThreads = 256;
/// Keys that a block can collect: 16 KiB of shared memory, twice the most that are asked for, so
/// that a bisected bound is found in a few steps.
constexpr int kTopCapacity = 2 * static_cast<int>(kMaxSelected);

using TopKey = unsigned long long;  // as select_key_bytes counts

/// One thread a vector of a gathered row.
__global__ void __launch_bounds__(kTopThreads)
    score_topk_gather_kernel(const __grid_constant__ GatherTask task) {
  const std::int64_t vectors = task.users.stride / kVector;
  const std::int64_t at = static_cast<std::int64_t>(blockIdx.x) * kTopThreads + threadIdx.x;
  if (at >= task.count * vectors) return;
  const NodeId user = task.queries[at / vectors];
  as_vectors(task.out)[at] = __ldg(as_vectors(task.users.row(user)) + at % vectors);
}

/// One block a query.
__global__ void __launch_bounds__(kTopThreads)
    score_topk_mask_kernel(const __grid_constant__ SelectTask task, CsrView observed) {
  const NodeId query = task.queries[blockIdx.x];
  float* scores = task.scores + blockIdx.x * task.stride;
  const EdgeOffset end = observed.offsets[query + 1];
  for (EdgeOffset e = observed.offsets[query] + threadIdx.x; e < end; e += kTopThreads) {
    scores[observed.columns[e]] = -INFINITY;
  }
}

/// 0 for what is no candidate; else greater for a better score, then for a smaller item.
__device__ inline TopKey top_key(float score, std::int64_t item) {
  if (!(score > -INFINITY)) return 0;
  const unsigned bits = __float_as_uint(score + 0.0F);  // -0 is 0: they tie
  const unsigned ordered = (bits & 0x80000000u) != 0 ? ~bits : bits | 0x80000000u;
  return static_cast<TopKey>(ordered) << 32 | (0xffffffffu - static_cast<unsigned>(item));
}
__device__ inline NodeId item_of(TopKey key) {
  return key == 0 ? -1 : static_cast<NodeId>(0xffffffffu - static_cast<unsigned>(key));
}
__device__ inline float score_of(TopKey key) {
  if (key == 0) return -INFINITY;
  const auto ordered = static_cast<unsigned>(key >> 32);
  return __uint_as_float((ordered & 0x80000000u) != 0 ? ordered & 0x7fffffffu : ~ordered);
}

/// Sorts `size` keys (a power of two) in shared memory, greatest first. The whole block takes part.
__device__ inline void sort_descending(TopKey* keys, int size) {
  for (int run = 2; run <= size; run *= 2) {
    for (int distance = run / 2; distance > 0; distance /= 2) {
      __syncthreads();
      for (int i = static_cast<int>(threadIdx.x); i < size / 2; i += kTopThreads) {
        const int low = 2 * i - (i & (distance - 1));
        const int high = low + distance;
        const TopKey a = keys[low];
        const TopKey b = keys[high];
        const bool descending = (low & run) == 0;
        if (descending ? a < b : b < a) {
          keys[low] = b;
          keys[high] = a;
        }
      }
    }
  }
  __syncthreads();
}

/// How many keys of the row reach the bound, in every thread.
__device__ inline int count_reaching(const float* scores, NodeId num_items, TopKey bound) {
  int count = 0;
  for (std::int64_t i = threadIdx.x; i < num_items; i += kTopThreads) {
    count += top_key(scores[i], i) >= bound ? 1 : 0;
  }
  return block_reduce<Sum>(count);
}

/// A bound that at least min(k, candidates) keys of the row reach, from the threads' best keys.
__device__ inline TopKey first_bound(const float* scores, NodeId num_items, std::int64_t k,
                                     TopKey* keys) {
  TopKey best = 0;
  for (std::int64_t i = threadIdx.x; i < num_items; i += kTopThreads) {
    best = max(best, top_key(scores[i], i));
  }
  keys[threadIdx.x] = best;
  sort_descending(keys, kTopThreads);
  const TopKey kth = k <= kTopThreads ? keys[k - 1] : 0;
  __syncthreads();
  return kth == 0 ? 1 : kth;
}

/// Raises a bound that too many keys reach until at least k and at most kTopCapacity do.
__device__ inline TopKey raise_bound(const float* scores, NodeId num_items, std::int64_t k,
                                     TopKey low) {
  TopKey high = ~TopKey{0};  // nothing reaches it: its score would be a NaN
  for (;;) {
    const TopKey middle = low + (high - low) / 2;
    const int count = count_reaching(scores, num_items, middle);
    if (count > kTopCapacity) {
      low = middle;
    } else if (count < k) {
      high = middle;
    } else {
      return middle;
    }
  }
}

/// One block a query; k <= kMaxSelected.
__global__ void __launch_bounds__(kTopThreads)
    score_topk_select_kernel(const __grid_constant__ SelectTask task) {
  __shared__ TopKey keys[kTopCapacity];
  __shared__ int collected;
  const float* scores = task.scores + blockIdx.x * task.stride;
  TopKey bound = first_bound(scores, task.num_items, task.k, keys);
  for (;;) {
    if (threadIdx.x == 0) collected = 0;
    __syncthreads();
    for (std::int64_t i = threadIdx.x; i < task.num_items; i += kTopThreads) {
      const TopKey key = top_key(scores[i], i);
      if (key < bound) continue;
      // Which place a key gets is left to chance; the sort settles it.
      const int place = atomicAdd(&collected, 1);
      if (place < kTopCapacity) keys[place] = key;
    }
    __syncthreads();
    if (collected <= kTopCapacity) break;
    bound = raise_bound(scores, task.num_items, task.k, bound);
  }
  int size = 1;
  while (size < collected || size < task.k) size *= 2;
  for (int i = collected + static_cast<int>(threadIdx.x); i < size; i += kTopThreads) keys[i] = 0;
  sort_descending(keys, size);
  const std::int64_t out = blockIdx.x * task.k;
  for (std::int64_t i = threadIdx.x; i < task.k; i += kTopThreads) {
    task.top_items[out + i] = item_of(keys[i]);
    task.top_scores[out + i] = score_of(keys[i]);
  }
}

/// keys (count, num_items) of a block of scores, for sorting rows whole. One thread a score.
__global__ void __launch_bounds__(kTopThreads)
    score_topk_keys_kernel(const __grid_constant__ SelectTask task, TopKey* keys) {
  const std::int64_t at = static_cast<std::int64_t>(blockIdx.x) * kTopThreads + threadIdx.x;
  if (at >= task.count * task.num_items) return;
  const std::int64_t item = at % task.num_items;
  keys[at] = top_key(task.scores[at / task.num_items * task.stride + item], item);
}

/// The first k of sorted rows of keys. One thread an element of the result.
__global__ void __launch_bounds__(kTopThreads)
    score_topk_write_kernel(const __grid_constant__ SelectTask task, const TopKey* sorted) {
  const std::int64_t at = static_cast<std::int64_t>(blockIdx.x) * kTopThreads + threadIdx.x;
  if (at >= task.count * task.k) return;
  const std::int64_t place = at % task.k;
  const TopKey key =
      place < task.num_items ? sorted[at / task.k * task.num_items + place] : TopKey{0};
  task.top_items[at] = item_of(key);
  task.top_scores[at] = score_of(key);
}

inline LaunchShape top_shape(std::int64_t elements) {
  return {.blocks = pieces(elements, kTopThreads), .threads = kTopThreads};
}

template <typename Launch>
void run_gather(const Launch& launch, const GatherTask& task) {
  launch(top_shape(task.count * (task.users.stride / kVector)), score_topk_gather_kernel, task);
}

template <typename Launch>
void run_mask(const Launch& launch, const SelectTask& task, const CsrView& observed) {
  launch(LaunchShape{.blocks = task.count, .threads = kTopThreads}, score_topk_mask_kernel, task,
         observed);
}

/// `sort` stands for the device-wide sort: rows of num_items keys, each descending, from `keys`
/// into the array that it returns. It is called for k > kMaxSelected alone.
template <typename Launch, typename Sort>
void run_select(const Launch& launch, const SelectTask& task, TopKey* keys, Sort&& sort) {
  if (task.k <= kMaxSelected) {
    launch(LaunchShape{.blocks = task.count, .threads = kTopThreads}, score_topk_select_kernel,
           task);
    return;
  }
  launch(top_shape(task.count * task.num_items), score_topk_keys_kernel, task, keys);
  const TopKey* sorted = sort();
  launch(top_shape(task.count * task.k), score_topk_write_kernel, task, sorted);
}

}  // namespace
}  // namespace tern::cuda
