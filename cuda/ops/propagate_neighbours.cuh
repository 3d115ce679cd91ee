#pragma once

// The inner loop of propagate: the sum of one row of y over neighbours, weighted, in CSR order.
//
// A group of lanes holds the sum in registers, 16 bytes a lane and vector. The groups of a warp walk
// through their rows in lockstep, and all of them take as many turns as the longest row needs: so
// the shuffles name the whole warp, by a constant mask, and no instruction is spent on meeting. In a
// turn every lane loads its vectors of several neighbours, without a condition: a group that has
// fewer neighbours left loads a row that is in the cache, and does not add it. A load under a
// condition would cost more than the load: ptxas then moves registers between the loads, and the
// last of them is issued when the first are back. The weights, which are gathered as well, are
// passed around after the loads, as a warp issues in order.
//
// The ids are read one a lane, coalesced, a step ahead, and passed around by shuffles. If rows are so
// narrow that a group has fewer lanes than gathers in flight, every lane reads all ids itself.

#include <cuda_runtime.h>

#include <cstdint>

#include "cuda/ops/propagate.hpp"
#include "cuda/ops/propagate_finish.cuh"
#include "cuda/support/group.cuh"
#include "cuda/support/vector.cuh"

namespace tern::cuda {
namespace {

/// The part of a row that one lane holds: kChunks vectors, kLanes apart.
template <int kChunks>
struct RowSum {
  float4 chunk[kChunks];

  __device__ RowSum() {
    for (float4& c : chunk) c = zero_vector();
  }
};

/// Neighbours whose rows a group loads before it uses the first. Four if a lane holds one vector: with
/// 32 warps on a multiprocessor that is 64 KiB under way, several times the product of latency and
/// bandwidth, and rows of some 20 neighbours waste little in their last turn. Wider rows run with
/// fewer warps, and have eight vectors a lane under way.
template <int kChunks>
constexpr int kUnroll = kChunks == 1 ? 4 : (kChunks >= 8 ? 1 : 8 / kChunks);

/// Which vectors of a row belong to this lane of the group.
template <int kLanes, int kChunks>
struct RowLanes {
  LaneGroup<kLanes> group;
  int vectors;          // of a whole row
  int offset[kChunks];  // of this lane; lanes beyond the row reread its last vector, and store none
  /// The address of this lane's first vector in row 0 of x. A number, as the compiler then finds the
  /// address in another row by one multiplication with addition; of pointers it took three steps.
  std::uintptr_t first;

  __device__ explicit RowLanes(const PropagateTask& task)
      : vectors(static_cast<int>(task.x.stride / kVector)) {
    for (int c = 0; c < kChunks; ++c) offset[c] = min(place(c), vectors - 1);
    first = reinterpret_cast<std::uintptr_t>(as_vectors(task.x.data) + offset[0]);
  }
  __device__ int place(int c) const {
    return (static_cast<int>(blockIdx.y) * kChunks + c) * kLanes + group.lane;
  }
  /// Loads this lane's vectors of a row of x.
  __device__ void load(NodeId row, float4 (&value)[kChunks]) const {
    const int row_bytes = vectors * static_cast<int>(sizeof(float4));
    const auto* from =
        reinterpret_cast<const float4*>(first + static_cast<std::int64_t>(row) * row_bytes);
#pragma unroll
    for (int c = 0; c < kChunks; ++c) value[c] = __ldg(from + (offset[c] - offset[0]));
  }
};

/// The neighbours of one group.
struct Neighbours {
  const NodeId* ids = nullptr;
  int size = 0;  // in 32 bits, as it is at most a segment: 64 bits made ptxas spill for sm_100
};

template <int kChunks>
__device__ void add_row(float weight, const float4 (&value)[kChunks], RowSum<kChunks>& sum) {
#pragma unroll
  for (int c = 0; c < kChunks; ++c) sum.chunk[c] = fma(weight, value[c], sum.chunk[c]);
}

/// A row of x that the groups of a warp load in place of neighbours that they do not have: the first
/// neighbour of one of them. Some group of the warp has a neighbour.
template <int kLanes>
__device__ NodeId spare_row(const LaneGroup<kLanes>& group, const Neighbours& neighbours) {
  return group.max_in_warp(neighbours.size > 0 ? __ldg(neighbours.ids) : -1);
}

/// Adds all neighbours. All threads of the warp take part.
template <int kLanes, int kChunks>
__device__ void add_every(const PropagateTask& task, const RowLanes<kLanes, kChunks>& lanes,
                          const Neighbours& neighbours, RowSum<kChunks>& sum) {
  constexpr int kAtOnce = kUnroll<kChunks>;
  static_assert(kLanes % kAtOnce == 0);
  const LaneGroup<kLanes>& group = lanes.group;
  const int size = neighbours.size;
  const int longest = group.max_in_warp(size);
  if (longest == 0) return;
  const NodeId spare = spare_row(group, neighbours);
  NodeId next = group.lane < size ? __ldg(neighbours.ids + group.lane) : spare;
#pragma unroll 1
  for (int base = 0; base < longest; base += kLanes) {
    const NodeId id = next;
    const float weight = scale_of(task.from_scale, id);
    const int ahead = base + kLanes + group.lane;
    next = ahead < size ? __ldg(neighbours.ids + ahead) : spare;
    const int count = min(longest - base, kLanes);
    const int own = size - base;
#pragma unroll 1
    for (int j = 0; j < count; j += kAtOnce) {
      float4 value[kAtOnce][kChunks];
#pragma unroll
      for (int u = 0; u < kAtOnce; ++u) {
        lanes.load(group.broadcast_in_warp(id, j + u), value[u]);
      }
      float factor[kAtOnce];
#pragma unroll
      for (int u = 0; u < kAtOnce; ++u) factor[u] = group.broadcast_in_warp(weight, j + u);
#pragma unroll
      for (int u = 0; u < kAtOnce; ++u) {
        if (j + u < own) add_row(factor[u], value[u], sum);
      }
    }
  }
}

/// Adds the neighbours that are marked. All threads of the warp take part. The marks are read a step
/// ahead, and the ids two steps, as most steps have few neighbours to wait for.
template <int kLanes, int kChunks>
__device__ void add_marked(const PropagateTask& task, const RowLanes<kLanes, kChunks>& lanes,
                           const Neighbours& neighbours, RowSum<kChunks>& sum) {
  constexpr int kAtOnce = kUnroll<kChunks>;
  const LaneGroup<kLanes>& group = lanes.group;
  const int size = neighbours.size;
  const int longest = group.max_in_warp(size);
  if (longest == 0) return;
  const NodeId spare = spare_row(group, neighbours);
  const auto id_at = [&](int base) {
    const int i = base + group.lane;
    return i < size ? __ldg(neighbours.ids + i) : spare;
  };
  const auto wanted_at = [&](int base, NodeId id) {
    return base + group.lane < size && __ldg(task.from_marks + id) != 0;
  };
  NodeId id = id_at(0);
  NodeId next = id_at(kLanes);
  bool wanted = wanted_at(0, id);
#pragma unroll 1
  for (int base = 0; base < longest; base += kLanes) {
    const unsigned of_warp = __ballot_sync(kFullWarp, wanted ? 1 : 0);
    const float weight = wanted ? scale_of(task.from_scale, id) : 0.0F;
    const NodeId after = id_at(base + 2 * kLanes);
    const bool next_wanted = wanted_at(base + kLanes, next);
    // Bit i: neighbour base + i counts.
    unsigned left = group.bits(of_warp);
    const int count = group.most_bits(of_warp);
#pragma unroll 1
    for (int j = 0; j < count; j += kAtOnce) {
      float4 value[kAtOnce][kChunks];
      int source[kAtOnce];
#pragma unroll
      for (int u = 0; u < kAtOnce; ++u) {
        source[u] = __ffs(static_cast<int>(left)) - 1;  // -1: none is left, and any id will do
        left &= left - 1;
        lanes.load(group.broadcast_in_warp(id, source[u]), value[u]);
      }
      float factor[kAtOnce];
#pragma unroll
      for (int u = 0; u < kAtOnce; ++u) factor[u] = group.broadcast_in_warp(weight, source[u]);
#pragma unroll
      for (int u = 0; u < kAtOnce; ++u) {
        if (source[u] >= 0) add_row(factor[u], value[u], sum);
      }
    }
    id = next;
    next = after;
    wanted = next_wanted;
  }
}

/// Adds the neighbours of a narrow row: every lane reads all ids.
template <int kLanes, int kChunks, bool kMarked>
__device__ void add_direct(const PropagateTask& task, const RowLanes<kLanes, kChunks>& lanes,
                           const Neighbours& neighbours, RowSum<kChunks>& sum) {
  constexpr int kAtOnce = kUnroll<kChunks>;
  for (int base = 0; base < neighbours.size; base += kAtOnce) {
    NodeId id[kAtOnce];
    bool present[kAtOnce];
#pragma unroll
    for (int u = 0; u < kAtOnce; ++u) {
      present[u] = base + u < neighbours.size;
      if (present[u]) id[u] = __ldg(neighbours.ids + base + u);
    }
    if constexpr (kMarked) {
#pragma unroll
      for (int u = 0; u < kAtOnce; ++u) {
        present[u] = present[u] && __ldg(task.from_marks + id[u]) != 0;
      }
    }
    float weight[kAtOnce];
    float4 value[kAtOnce][kChunks];
#pragma unroll
    for (int u = 0; u < kAtOnce; ++u) {
      if (present[u]) {
        weight[u] = 1.0F;
        lanes.load(id[u], value[u]);
      }
    }
    if (task.from_scale != nullptr) {
#pragma unroll
      for (int u = 0; u < kAtOnce; ++u) {
        if (present[u]) weight[u] = __ldg(task.from_scale + id[u]);
      }
    }
#pragma unroll
    for (int u = 0; u < kAtOnce; ++u) {
      if (present[u]) add_row(weight[u], value[u], sum);
    }
  }
}

/// Adds the neighbours that count. All threads of the warp take part.
template <int kLanes, int kChunks, bool kMarked>
__device__ void add_neighbours(const PropagateTask& task, const RowLanes<kLanes, kChunks>& lanes,
                               const Neighbours& neighbours, RowSum<kChunks>& sum) {
  if constexpr (kLanes < kUnroll<kChunks>) {
    add_direct<kLanes, kChunks, kMarked>(task, lanes, neighbours, sum);
  } else if constexpr (kMarked) {
    add_marked(task, lanes, neighbours, sum);
  } else {
    add_every(task, lanes, neighbours, sum);
  }
}

}  // namespace
}  // namespace tern::cuda
