#pragma once

#include <cuda_runtime.h>

namespace tern::cuda {

/// kLanes neighbouring lanes of a warp (a power of two up to 32) that work on one row together.
/// They synchronise only with each other, so that the groups of a warp may diverge.
template <int kLanes>
struct LaneGroup {
  static_assert(kLanes >= 1 && kLanes <= 32 && (kLanes & (kLanes - 1)) == 0);

  /// This thread's place in its group.
  int lane;
  /// The group's first lane in its warp.
  int first;

  __device__ LaneGroup()
      : lane(static_cast<int>(threadIdx.x) % kLanes),
        first(static_cast<int>(threadIdx.x) % 32 - lane) {}

  /// The lanes of the group, as the warp's intrinsics name them.
  __device__ unsigned mask() const {
    if constexpr (kLanes == 32) {
      return 0xffffffffu;
    } else {
      return ((1u << kLanes) - 1u) << first;
    }
  }

  /// The value of the group's lane `source`.
  template <typename T>
  __device__ T broadcast(T value, int source) const {
    if constexpr (kLanes == 1) {
      return value;
    } else {
      return __shfl_sync(mask(), value, source, kLanes);
    }
  }

  /// Bit i: the predicate of lane i of the group.
  __device__ unsigned ballot(bool predicate) const {
    if constexpr (kLanes == 1) {
      return predicate ? 1u : 0u;
    } else {
      return (__ballot_sync(mask(), predicate ? 1 : 0) & mask()) >> first;
    }
  }

  /// The sum over the group, in every lane. Halves are exchanged, so that all lanes get the same
  /// bits, and the order is the same every time.
  template <typename T>
  __device__ T sum(T value) const {
    for (int distance = kLanes / 2; distance > 0; distance /= 2) {
      value += __shfl_xor_sync(mask(), value, distance, kLanes);
    }
    return value;
  }
};

}  // namespace tern::cuda
