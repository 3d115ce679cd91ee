#pragma once

// The selection of score_topk: a score and its item as one key, and the search for a bound that the k
// best keys of a row reach. All threads of a block take part.

#include <cuda_runtime.h>

#include <cmath>

#include "cuda/ops/score_topk.hpp"
#include "cuda/support/block.cuh"
#include "cuda/support/vector.cuh"

namespace tern::cuda {
namespace {

constexpr int kTopThreads = 256;
/// A block of the product has about as many queries as a GPU has multiprocessors, so that each of these
/// selects for one query at a time: 512 threads have 32 KiB of a row in flight, which hides the latency
/// of the cache (counted for an H200, not measured). More would lengthen the sort of the threads' keys.
constexpr int kSelectThreads = 512;
constexpr int kSelectLoads = 4;
/// Keys that a block can collect: 16 KiB of shared memory, twice the largest k, so that bisection
/// finds a bound in a few steps.
constexpr int kTopCapacity = 2 * static_cast<int>(kMaxSelected);

using TopKey = unsigned long long;  // as select_key_bytes counts

/// 0 if the item is no candidate; else greater for a better score, then for a smaller item.
__device__ inline TopKey top_key(float score, std::int64_t item) {
  if (!(score > -INFINITY)) return 0;
  const unsigned bits = __float_as_uint(score + 0.0F);  // -0 becomes +0: they tie
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

/// Calls visit(key) for this thread's share of a row's keys, some of which may be 0.
template <typename Visit>
__device__ inline void for_each_key(const float* scores, NodeId num_items, const Visit& visit) {
  const float4* vectors = as_vectors(scores);
  const unsigned whole = static_cast<unsigned>(num_items) / static_cast<unsigned>(kVector);
  for (unsigned first = threadIdx.x; first < whole; first += kSelectLoads * kSelectThreads) {
    float4 loaded[kSelectLoads];
#pragma unroll
    for (unsigned l = 0; l < kSelectLoads; ++l) {
      const unsigned v = first + l * kSelectThreads;
      loaded[l] =
          v < whole ? __ldg(vectors + v) : make_float4(-INFINITY, -INFINITY, -INFINITY, -INFINITY);
    }
#pragma unroll
    for (unsigned l = 0; l < kSelectLoads; ++l) {
      const unsigned item = static_cast<unsigned>(kVector) * (first + l * kSelectThreads);
      visit(top_key(loaded[l].x, item));
      visit(top_key(loaded[l].y, item + 1));
      visit(top_key(loaded[l].z, item + 2));
      visit(top_key(loaded[l].w, item + 3));
    }
  }
  const unsigned rest = whole * static_cast<unsigned>(kVector) + threadIdx.x;
  if (rest < static_cast<unsigned>(num_items)) visit(top_key(scores[rest], rest));
}

/// Sorts `size` keys (a power of two) in shared memory, greatest first. The whole block takes part.
__device__ inline void sort_descending(TopKey* keys, int size) {
  for (int run = 2; run <= size; run *= 2) {
    for (int distance = run / 2; distance > 0; distance /= 2) {
      __syncthreads();
      for (int i = static_cast<int>(threadIdx.x); i < size / 2; i += kSelectThreads) {
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

/// The number of keys of the row that reach the bound, at least 1, in every thread.
__device__ inline int count_reaching(const float* scores, NodeId num_items, TopKey bound) {
  int count = 0;
  for_each_key(scores, num_items, [&](TopKey key) { count += key >= bound ? 1 : 0; });
  return block_reduce<Sum>(count);
}

/// A bound that at least min(k, candidates) keys of the row reach, from the threads' best keys.
__device__ inline TopKey first_bound(const float* scores, NodeId num_items, std::int64_t k,
                                     TopKey* keys) {
  TopKey best = 0;
  for_each_key(scores, num_items, [&](TopKey key) { best = max(best, key); });
  keys[threadIdx.x] = best;
  sort_descending(keys, kSelectThreads);
  const TopKey kth = k <= kSelectThreads ? keys[k - 1] : 0;
  __syncthreads();
  return kth == 0 ? 1 : kth;
}

/// Raises a bound that too many keys reach until at least k and at most kTopCapacity do.
__device__ inline TopKey raise_bound(const float* scores, NodeId num_items, std::int64_t k,
                                     TopKey low) {
  TopKey high = ~TopKey{0};  // no key reaches it: its score would be a NaN
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

}  // namespace
}  // namespace tern::cuda
