#pragma once

// The inner loop of propagate: the sum of one row of y over neighbours, weighted, in CSR order.
//
// A group of lanes holds the sum in registers; a lane loads 16 bytes at a time: four elements of x, or
// eight of its bf16 copy, for which a row needs half of the lanes. The groups of a warp walk
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
#include "cuda/support/bf16.cuh"
#include "cuda/support/group.cuh"
#include "cuda/support/vector.cuh"

namespace tern::cuda {
namespace {

/// The rows of x, in vectors of 16 bytes.
struct F32Rows {
  using Vector = float4;
  static constexpr int kParts = 1;  // float4 to which a vector is added
  static constexpr bool kZeroRow = false;

  __device__ static const Vector* first(const PropagateTask& task) {
    return as_vectors(task.x.data);
  }
  __host__ __device__ static std::int64_t vectors(const PropagateTask& task) {
    return task.x.stride / kVector;
  }
  /// The number by which a lane passes a row to the others, who find the row's vectors by it.
  using Key = NodeId;
  __device__ static Key key(NodeId row, int /*vectors*/) { return row; }
  __device__ static std::uintptr_t address(std::uintptr_t first, Key key, int vectors) {
    const int row_bytes = vectors * static_cast<int>(sizeof(Vector));
    return first + static_cast<std::int64_t>(key) * row_bytes;
  }
  __device__ static void add(float weight, float4 value, float4 (&sum)[kParts]) {
    sum[0] = fma(weight, value, sum[0]);
  }
};

/// The rows of its copy. Elements become f32 in registers: the same sums as of a rounded x.
struct Bf16Rows {
  using Vector = uint4;
  static constexpr int kParts = 2;
  static constexpr bool kZeroRow = true;  // after the rows of x (GatherCopyView)

  __device__ static const Vector* first(const PropagateTask& task) {
    return reinterpret_cast<const uint4*>(task.x_copy.values);
  }
  __host__ __device__ static std::int64_t vectors(const PropagateTask& task) {
    return task.x_copy.vectors;
  }
  /// The number of the row's first vector, of which a copy has at most 2³².
  using Key = std::uint32_t;
  __device__ static Key key(NodeId row, int vectors) {
    return static_cast<std::uint32_t>(row) * static_cast<std::uint32_t>(vectors);
  }
  __device__ static std::uintptr_t address(std::uintptr_t first, Key key, int /*vectors*/) {
    return first + static_cast<std::uint64_t>(key) * sizeof(Vector);
  }
  __device__ static void add(float weight, uint4 value, float4 (&sum)[kParts]) {
    sum[0] = fma(weight, make_uint2(value.x, value.y), sum[0]);
    sum[1] = fma(weight, make_uint2(value.z, value.w), sum[1]);
  }
};

/// The part of a row that one lane holds: the elements of kChunks vectors, kLanes apart.
template <int kChunks, typename Rows>
struct RowSum {
  float4 chunk[kChunks][Rows::kParts];

  __device__ RowSum() {
    for (auto& c : chunk) {
      for (float4& part : c) part = zero_vector();
    }
  }
};

/// Neighbours whose rows a group loads before it uses the first. Four if a lane holds one vector: with
/// 32 warps on a multiprocessor that is 64 KiB under way, several times the product of latency and
/// bandwidth, and rows of some 20 neighbours waste little in their last turn. Wider rows run with
/// fewer warps, and have eight vectors a lane under way.
template <int kChunks>
constexpr int kUnroll = kChunks == 1 ? 4 : (kChunks >= 8 ? 1 : 8 / kChunks);

/// Which vectors of a row belong to this lane of the group.
template <int kLanes, int kChunks, typename Rows>
struct RowLanes {
  using Vector = typename Rows::Vector;
  LaneGroup<kLanes> group;
  int vectors;          // of a whole row
  int offset[kChunks];  // of this lane; lanes beyond the row reread its last vector, and store none
  /// The address of this lane's first vector in row 0 of x. A number, as the compiler then finds the
  /// address in another row by one multiplication with addition; of pointers it took three steps.
  std::uintptr_t first;

  __device__ explicit RowLanes(const PropagateTask& task)
      : vectors(static_cast<int>(Rows::vectors(task))) {
    for (int c = 0; c < kChunks; ++c) offset[c] = min(place(c), vectors - 1);
    first = reinterpret_cast<std::uintptr_t>(Rows::first(task) + offset[0]);
  }
  __device__ int place(int c) const {
    return (static_cast<int>(blockIdx.y) * kChunks + c) * kLanes + group.lane;
  }
  __device__ typename Rows::Key key(NodeId row) const { return Rows::key(row, vectors); }
  /// Loads this lane's vectors of a row of x.
  __device__ void load(typename Rows::Key key, Vector (&value)[kChunks]) const {
    const auto* from = reinterpret_cast<const Vector*>(Rows::address(first, key, vectors));
#pragma unroll
    for (int c = 0; c < kChunks; ++c) value[c] = __ldg(from + (offset[c] - offset[0]));
  }
};

/// The neighbours of one group.
struct Neighbours {
  const NodeId* ids = nullptr;
  int size = 0;  // in 32 bits, as it is at most a segment: 64 bits made ptxas spill for sm_100
};

template <int kChunks, typename Rows>
__device__ void add_row(float weight, const typename Rows::Vector (&value)[kChunks],
                        RowSum<kChunks, Rows>& sum) {
#pragma unroll
  for (int c = 0; c < kChunks; ++c) Rows::add(weight, value[c], sum.chunk[c]);
}

/// The weight of a row of zeros that is added in place of a neighbour: the product is -0, and no sum
/// changes by it, not even the sign of a zero.
constexpr float kNoWeight = -0.0F;

/// A row that the groups of a warp load in place of neighbours that they do not have: the row of zeros,
/// which they may add, or the first neighbour of one of them, which they must not. To add under a
/// condition costs nothing if the condition is one of few instructions; those that expand bf16 would
/// become a branch, and loads would move behind it. Some group of the warp has a neighbour.
template <typename Rows, int kLanes>
__device__ NodeId spare_row(const PropagateTask& task, const LaneGroup<kLanes>& group,
                            const Neighbours& neighbours) {
  if constexpr (Rows::kZeroRow) {
    return static_cast<NodeId>(task.x.rows);
  } else {
    return group.max_in_warp(neighbours.size > 0 ? __ldg(neighbours.ids) : -1);
  }
}

/// Adds all neighbours. All threads of the warp take part.
template <int kLanes, int kChunks, typename Rows>
__device__ void add_every(const PropagateTask& task, const RowLanes<kLanes, kChunks, Rows>& lanes,
                          const Neighbours& neighbours, RowSum<kChunks, Rows>& sum) {
  constexpr int kAtOnce = kUnroll<kChunks>;
  static_assert(kLanes % kAtOnce == 0);
  const LaneGroup<kLanes>& group = lanes.group;
  const int size = neighbours.size;
  const int longest = group.max_in_warp(size);
  if (longest == 0) return;
  const NodeId spare = spare_row<Rows>(task, group, neighbours);
  NodeId next = group.lane < size ? __ldg(neighbours.ids + group.lane) : spare;
#pragma unroll 1
  for (int base = 0; base < longest; base += kLanes) {
    const NodeId id = next;
    const auto key = lanes.key(id);
    float weight = kNoWeight;
    if (!Rows::kZeroRow || base + group.lane < size) weight = scale_of(task.from_scale, id);
    const int ahead = base + kLanes + group.lane;
    next = ahead < size ? __ldg(neighbours.ids + ahead) : spare;
    const int count = min(longest - base, kLanes);
    const int own = size - base;
#pragma unroll 1
    for (int j = 0; j < count; j += kAtOnce) {
      typename Rows::Vector value[kAtOnce][kChunks];
#pragma unroll
      for (int u = 0; u < kAtOnce; ++u) {
        lanes.load(group.broadcast_in_warp(key, j + u), value[u]);
      }
      float factor[kAtOnce];
#pragma unroll
      for (int u = 0; u < kAtOnce; ++u) factor[u] = group.broadcast_in_warp(weight, j + u);
#pragma unroll
      for (int u = 0; u < kAtOnce; ++u) {
        if (Rows::kZeroRow || j + u < own) add_row(factor[u], value[u], sum);
      }
    }
  }
}

/// Adds the neighbours that are marked. All threads of the warp take part. The marks are read a step
/// ahead, and the ids two steps, as most steps have few neighbours to wait for.
template <int kLanes, int kChunks, typename Rows>
__device__ void add_marked(const PropagateTask& task, const RowLanes<kLanes, kChunks, Rows>& lanes,
                           const Neighbours& neighbours, RowSum<kChunks, Rows>& sum) {
  constexpr int kAtOnce = kUnroll<kChunks>;
  const LaneGroup<kLanes>& group = lanes.group;
  const int size = neighbours.size;
  const int longest = group.max_in_warp(size);
  if (longest == 0) return;
  const NodeId spare = spare_row<Rows>(task, group, neighbours);
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
    const auto key = lanes.key(id);
    const NodeId after = id_at(base + 2 * kLanes);
    const bool next_wanted = wanted_at(base + kLanes, next);
    // Bit i: neighbour base + i counts.
    unsigned left = group.bits(of_warp);
    const int count = group.most_bits(of_warp);
#pragma unroll 1
    for (int j = 0; j < count; j += kAtOnce) {
      typename Rows::Vector value[kAtOnce][kChunks];
      int source[kAtOnce];
#pragma unroll
      for (int u = 0; u < kAtOnce; ++u) {
        source[u] = __ffs(static_cast<int>(left)) - 1;  // -1: none is left, and any id will do
        left &= left - 1;
        const auto found = group.broadcast_in_warp(key, source[u]);
        lanes.load(Rows::kZeroRow && source[u] < 0 ? lanes.key(spare) : found, value[u]);
      }
      float factor[kAtOnce];
#pragma unroll
      for (int u = 0; u < kAtOnce; ++u) {
        factor[u] = group.broadcast_in_warp(weight, source[u]);
        if (Rows::kZeroRow && source[u] < 0) factor[u] = kNoWeight;
      }
#pragma unroll
      for (int u = 0; u < kAtOnce; ++u) {
        if (Rows::kZeroRow || source[u] >= 0) add_row(factor[u], value[u], sum);
      }
    }
    id = next;
    next = after;
    wanted = next_wanted;
  }
}

/// Adds the neighbours of a narrow row: every lane reads all ids.
template <int kLanes, int kChunks, bool kMarked, typename Rows>
__device__ void add_direct(const PropagateTask& task, const RowLanes<kLanes, kChunks, Rows>& lanes,
                           const Neighbours& neighbours, RowSum<kChunks, Rows>& sum) {
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
    typename Rows::Vector value[kAtOnce][kChunks];
#pragma unroll
    for (int u = 0; u < kAtOnce; ++u) {
      if (present[u]) {
        weight[u] = 1.0F;
        lanes.load(lanes.key(id[u]), value[u]);
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
template <int kLanes, int kChunks, bool kMarked, typename Rows>
__device__ void add_neighbours(const PropagateTask& task,
                               const RowLanes<kLanes, kChunks, Rows>& lanes,
                               const Neighbours& neighbours, RowSum<kChunks, Rows>& sum) {
  if constexpr (kLanes < kUnroll<kChunks>) {
    add_direct<kLanes, kChunks, kMarked, Rows>(task, lanes, neighbours, sum);
  } else if constexpr (kMarked) {
    add_marked(task, lanes, neighbours, sum);
  } else {
    add_every(task, lanes, neighbours, sum);
  }
}

}  // namespace
}  // namespace tern::cuda
