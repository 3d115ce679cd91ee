#pragma once

// The k best items of each query, see Backend::score_topk.
//
// A block of queries is small enough that its scores (queries × items) stay in the L2 cache: they
// come from one matrix product (2·Q·I·D operations; the caller's library), lose the observed items,
// and are then read five times at most: three to find the k-th best score by its digits, one
// to collect what is above it, one more only where several items tie for the last places. Each
// candidate is a 64-bit key, score above item, all different: so that the collected keys, in
// whatever order they came, have one order when sorted, ties by ascending item id.

#include "cuda/ops/score_topk.hpp"
#include "cuda/support/group.cuh"

namespace tern::cuda {
namespace {

inline constexpr int kSelectThreads = 256;
/// Digits of a 32-bit score, most significant first: three passes of at most 2048 bins, 8 KiB.
inline constexpr int kBins = 2048;
__device__ inline int digit_shift(int digit) {
  return digit == 0 ? 21 : (digit == 1 ? 10 : 0);
}
__device__ inline int digit_bins(int digit) {
  return digit == 2 ? kBins / 2 : kBins;
}

/// A 32-bit key that orders as scores do; 0 for what is no candidate (-inf, NaN). -0 counts as 0.
__device__ inline std::uint32_t key_of(float score) {
  if (!(score > -INFINITY)) return 0;
  const std::uint32_t bits = __float_as_uint(score + 0.0F);
  return (bits & 0x80000000u) != 0 ? ~bits : bits | 0x80000000u;
}

__device__ inline float score_of(std::uint32_t key) {
  return __uint_as_float((key & 0x80000000u) != 0 ? key & 0x7fffffffu : ~key);
}

/// gathered[q] = users[queries[q]]: a thread an element.
__global__ void gather_queries_kernel(MatrixView<const float> users, const NodeId* queries,
                                      std::int64_t num_queries, float* gathered) {
  const std::int64_t place = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (place >= num_queries * users.stride) return;
  const std::int64_t row = queries[place / users.stride];
  gathered[place] = users.data[row * users.stride + place % users.stride];
}

/// Scores of observed items become -inf: a block a query.
__global__ void mask_observed_kernel(CsrView observed, const NodeId* queries, float* scores,
                                     std::int64_t items) {
  const std::int64_t row = queries[blockIdx.x];
  float* own = scores + static_cast<std::int64_t>(blockIdx.x) * items;
  const EdgeOffset end = observed.offsets[row + 1];
  for (EdgeOffset e = observed.offsets[row] + threadIdx.x; e < end; e += blockDim.x) {
    own[observed.columns[e]] = -INFINITY;
  }
}

/// What a block knows of the k-th best key while it reads digit after digit.
struct Threshold {
  std::uint32_t prefix;  // the digits found so far
  std::uint32_t known;   // mask of these digits
  std::int64_t wanted;   // places left for keys that share the prefix
  std::int64_t sharing;  // how many keys share it
};

/// Reads one digit more: the bin in which the wanted-th largest of the counted keys lies. One warp,
/// each lane a share of the bins, highest first; the lane in whose share it lies writes the result.
__device__ inline void find_digit(const std::uint32_t* counts, int digit, const Threshold& before,
                                  Threshold& after) {
  const LaneGroup<32> warp;
  const int bins = digit_bins(digit);
  const int share = bins / 32;
  const int top = bins - 1 - warp.lane * share;
  std::int64_t own = 0;
  for (int i = 0; i < share; ++i) own += counts[top - i];
  std::int64_t above = 0;  // keys in the shares of lower lanes
  for (int lane = 0; lane < 32; ++lane) {
    const std::int64_t other = warp.broadcast(own, lane);
    if (lane < warp.lane) above += other;
  }
  if (above >= before.wanted || before.wanted > above + own) return;
  int bin = top;
  while (above + counts[bin] < before.wanted) above += counts[bin--];
  after.prefix = before.prefix | static_cast<std::uint32_t>(bin) << digit_shift(digit);
  after.known = before.known | static_cast<std::uint32_t>(bins - 1) << digit_shift(digit);
  after.wanted = before.wanted - above;
  after.sharing = counts[bin];
}

/// Finds the key of the k-th best of `items` scores, 1 <= k <= items; every thread gets it.
__device__ inline Threshold find_threshold(const float* scores, std::int64_t items,
                                           std::int64_t k) {
  __shared__ std::uint32_t counts[kBins];
  __shared__ Threshold found;
  Threshold threshold{0, 0, k, items};
  for (int digit = 0; digit < 3; ++digit) {
    const int bins = digit_bins(digit);
    for (int b = static_cast<int>(threadIdx.x); b < bins; b += kSelectThreads) counts[b] = 0;
    __syncthreads();
    for (std::int64_t i = threadIdx.x; i < items; i += kSelectThreads) {
      const std::uint32_t key = key_of(scores[i]);
      if ((key & threshold.known) == threshold.prefix) {
        atomicAdd(&counts[(key >> digit_shift(digit)) & static_cast<std::uint32_t>(bins - 1)], 1u);
      }
    }
    __syncthreads();
    if (threadIdx.x < 32) find_digit(counts, digit, threshold, found);
    __syncthreads();
    threshold = found;
  }
  return threshold;
}

__device__ inline std::uint64_t candidate(std::uint32_t key, std::int64_t item) {
  return static_cast<std::uint64_t>(key) << 32 | (0xffffffffu - static_cast<std::uint32_t>(item));
}

/// Collects the k best candidates into keys, in no order; returns how many there are. Where more
/// items have the threshold's score than places are left, the first by id are taken.
__device__ inline int collect(const float* scores, std::int64_t items, const Threshold& threshold,
                              std::uint64_t* keys) {
  __shared__ int taken;
  if (threadIdx.x == 0) taken = 0;
  __syncthreads();
  // What ties below -inf is no candidate; where all that tie have a place, they are like the
  // others.
  const bool all_ties = threshold.prefix != 0 && threshold.sharing == threshold.wanted;
  for (std::int64_t i = threadIdx.x; i < items; i += kSelectThreads) {
    const std::uint32_t key = key_of(scores[i]);
    if (key > threshold.prefix || (all_ties && key == threshold.prefix)) {
      keys[atomicAdd(&taken, 1)] = candidate(key, i);
    }
  }
  __syncthreads();
  int count = taken;
  if (threshold.prefix == 0 || all_ties) return count;
  std::int64_t left = threshold.wanted;
  for (std::int64_t first = 0; left > 0 && first < items; first += kSelectThreads) {
    const std::int64_t i = first + threadIdx.x;
    const bool ties = i < items && key_of(scores[i]) == threshold.prefix;
    const unsigned mine = __ballot_sync(0xffffffffu, ties ? 1 : 0);
    __shared__ int warps[kSelectThreads / 32];
    const int warp = static_cast<int>(threadIdx.x) / 32;
    const int lane = static_cast<int>(threadIdx.x) % 32;
    if (lane == 0) warps[warp] = __popc(mine);
    __syncthreads();
    int before = __popc(mine & ((1u << lane) - 1u));
    int total = 0;
    for (int w = 0; w < kSelectThreads / 32; ++w) {
      if (w < warp) before += warps[w];
      total += warps[w];
    }
    if (ties && before < left) keys[count + before] = candidate(threshold.prefix, i);
    const int placed = static_cast<int>(min(static_cast<std::int64_t>(total), left));
    count += placed;
    left -= placed;
    __syncthreads();
  }
  return count;
}

/// Sorts room (a power of two) keys, greatest first: Batcher's bitonic network.
__device__ inline void sort_keys(std::uint64_t* keys, std::int64_t room) {
  for (std::int64_t size = 2; size <= room; size *= 2) {
    for (std::int64_t distance = size / 2; distance > 0; distance /= 2) {
      for (std::int64_t i = threadIdx.x; i < room; i += kSelectThreads) {
        const std::int64_t other = i ^ distance;
        if (other > i) {
          const std::uint64_t low = keys[i];
          const std::uint64_t high = keys[other];
          const bool falling = (i & size) == 0;
          if ((low < high) == falling) {
            keys[i] = high;
            keys[other] = low;
          }
        }
      }
      __syncthreads();
    }
  }
}

/// The k best of each query's scores: a block a query.
__global__ void __launch_bounds__(kSelectThreads, 4)
    select_best_kernel(const float* scores, std::int64_t items, std::int64_t k, std::int64_t room,
                       std::uint64_t* workspace, NodeId* top_items, float* top_scores) {
  __shared__ std::uint64_t small[kSharedBest];
  const std::int64_t query = blockIdx.x;
  const float* own = scores + query * items;
  std::uint64_t* keys = room <= kSharedBest ? small : workspace + query * room;
  int count = 0;
  if (items > 0) {
    const Threshold threshold = find_threshold(own, items, min(k, items));
    count = collect(own, items, threshold, keys);
  }
  for (std::int64_t i = count + threadIdx.x; i < room; i += kSelectThreads) keys[i] = 0;
  __syncthreads();
  sort_keys(keys, room);
  for (std::int64_t i = threadIdx.x; i < k; i += kSelectThreads) {
    const std::uint64_t best = keys[i];
    const bool real = best != 0;
    top_items[query * k + i] =
        real ? static_cast<NodeId>(0xffffffffu - static_cast<std::uint32_t>(best)) : -1;
    top_scores[query * k + i] = real ? score_of(static_cast<std::uint32_t>(best >> 32)) : -INFINITY;
  }
}

/// The launches of the op on one block of queries, by anything that is called like a Launcher;
/// product(ProductTask) fills the scores between them.
template <class Launch, class Product>
void run_score_topk(const Launch& launch, const Product& product, const ScoreTopkTask& task) {
  const std::int64_t queries = task.num_queries;
  const std::int64_t items = task.items.rows;
  launch({pieces(queries * task.users.stride, 256), 256}, gather_queries_kernel, task.users,
         task.queries, queries, task.gathered);
  product(ProductTask{task.gathered, task.items, task.scores, queries});
  for (const CsrView& observed : task.observed) {
    launch({queries, 128}, mask_observed_kernel, observed, task.queries, task.scores, items);
  }
  launch({queries, kSelectThreads}, select_best_kernel, static_cast<const float*>(task.scores),
         items, task.k, sorting_room(task.k), task.keys, task.top_items, task.top_scores);
}

}  // namespace
}  // namespace tern::cuda
