#pragma once

// How one thread draws one triplet, for sample and for the fused form of next_batch. Integers
// alone: the same on every backend. The law is Backend::sample's, the streams are
// tern/random.hpp's.

#include <cuda_runtime.h>

#include "cuda/ops/sample.hpp"

namespace tern::cuda {

/// The r-th item (from 0) absent from an ascending row: r + #{k : row[k] - k <= r}. row[k] - k
/// items below row[k] are absent; this number never falls with k, so one binary search finds the
/// count. (In 32 bits, as a row is no longer than its ids reach.)
__device__ inline NodeId absent_item(const NodeId* row, NodeId degree, std::uint32_t r) {
  NodeId low = 0;
  NodeId high = degree;
  while (low < high) {
    const NodeId middle = low + (high - low) / 2;
    if (__ldg(row + middle) - middle <= static_cast<NodeId>(r)) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return static_cast<NodeId>(r) + low;
}

__device__ inline bool contains(const NodeId* row, NodeId degree, NodeId item) {
  NodeId low = 0;
  NodeId high = degree;
  while (low < high) {
    const NodeId middle = low + (high - low) / 2;
    if (__ldg(row + middle) < item) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low < degree && __ldg(row + low) == item;
}

/// The last participant whose interactions begin at or before `position`.
__device__ inline std::int64_t participant_at(const SampleTask& task, EdgeOffset position) {
  std::int64_t low = 0;
  std::int64_t high = task.num_participants;
  while (high - low > 1) {
    const std::int64_t middle = (low + high) / 2;
    if (__ldg(task.participant_offsets + middle) <= position) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return low;
}

__device__ inline Interaction draw_positive(const SampleTask& task, std::int64_t pair) {
  const CsrView& csr = task.csr;
  if (task.options.positives == PositiveSampling::kUser) {
    RandomStream stream(task.options.seed, Purpose::kPositive, task.epoch,
                        static_cast<std::uint64_t>(pair));
    const NodeId user =
        task.participants[stream.below(static_cast<std::uint32_t>(task.num_participants))];
    const auto pick = stream.below(static_cast<std::uint32_t>(csr.degree(user)));
    return {user, csr.columns[csr.offsets[user] + pick]};
  }
  const auto position = static_cast<EdgeOffset>(task.permutation(static_cast<std::uint64_t>(pair)));
  const std::int64_t p = participant_at(task, position);
  const NodeId user = task.participants[p];
  return {user, csr.columns[csr.offsets[user] + position - task.participant_offsets[p]]};
}

__device__ inline NodeId draw_negative(const SampleTask& task, NodeId user, std::int64_t triplet) {
  if (!task.options.has_negatives()) return kNoItem;
  const CsrView& csr = task.csr;
  const NodeId* row = csr.columns + csr.offsets[user];
  const auto degree = static_cast<NodeId>(csr.degree(user));
  RandomStream stream(task.options.seed, Purpose::kNegative, task.epoch,
                      static_cast<std::uint64_t>(triplet));
  if (task.options.negatives == NegativeSampling::kPopularity) {
    for (int attempt = 0; attempt < task.options.popularity_tries; ++attempt) {
      const auto cell = stream.below(static_cast<std::uint32_t>(csr.num_columns));
      const NodeId item = stream.next() < __ldg(task.alias_threshold + cell)
                              ? static_cast<NodeId>(cell)
                              : __ldg(task.alias + cell);
      if (!contains(row, degree, item)) return item;
    }
  }
  return absent_item(row, degree,
                     stream.below(static_cast<std::uint32_t>(csr.num_columns - degree)));
}

/// Triplet t of the epoch.
__device__ inline Triplet draw_triplet(const SampleTask& task, std::int64_t t) {
  const Interaction pair = draw_positive(task, t / task.options.triplets_per_positive());
  return {pair.user, pair.item, draw_negative(task, pair.user, t)};
}

}  // namespace tern::cuda
