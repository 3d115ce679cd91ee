#pragma once

#include <cuda_runtime.h>

#include "cuda/support/warp.cuh"

namespace tern::cuda {

/// kLanes neighbouring lanes of a warp (a power of two up to 32) that work on one row together.
/// They synchronise only with each other, so that the groups of a warp may diverge; except in the
/// functions named in_warp, which all groups of a warp call together.
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

  /// Waits for the lanes of the group; each then sees what the others have written.
  __device__ void sync() const {
    if constexpr (kLanes > 1) __syncwarp(mask());
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

  /// The same, of lane `source` modulo kLanes, for all groups of the warp at once: the mask is known
  /// to the compiler, which then spends no instruction on it.
  template <typename T>
  __device__ T broadcast_in_warp(T value, int source) const {
    return __shfl_sync(kFullWarp, value, source, kLanes);
  }

  /// The greatest value of the warp. All lanes of a group pass the same.
  template <typename T>
  __device__ T max_in_warp(T value) const {
#pragma unroll
    for (int distance = kLanes; distance < 32; distance *= 2) {
      value = Max::combine(value, __shfl_xor_sync(kFullWarp, value, distance));
    }
    return value;
  }

  /// The group's bits of a ballot of the warp; bit i is that of the group's lane i.
  __device__ unsigned bits(unsigned ballot) const {
    return (ballot & mask()) >> first;
  }

  /// The greatest number of bits that a group of the warp has in a ballot of the warp.
  __device__ static int most_bits(unsigned ballot) {
    int most = 0;
#pragma unroll
    for (int begin = 0; begin < 32; begin += kLanes) {
      most = max(most, __popc((ballot >> begin) & (kFullWarp >> (32 - kLanes))));
    }
    return most;
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
