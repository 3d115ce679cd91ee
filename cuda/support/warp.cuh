#pragma once

#include <cuda_runtime.h>

#include <limits>

namespace tern::cuda {

// Reductions and scans over a warp. Every result has one order of operations, which depends on the
// number of lanes alone: bitwise the same from run to run.

inline constexpr unsigned kFullWarp = 0xffffffffu;

/// Commutative operations: combine(x, y), and the neutral value.
struct Sum {
  template <typename T>
  __device__ static T combine(T x, T y) {
    return x + y;
  }
  template <typename T>
  __host__ __device__ static constexpr T neutral() {
    return T(0);
  }
};
struct Min {
  template <typename T>
  __device__ static T combine(T x, T y) {
    return y < x ? y : x;
  }
  template <typename T>
  __host__ __device__ static constexpr T neutral() {
    return std::numeric_limits<T>::has_infinity ? std::numeric_limits<T>::infinity()
                                                : std::numeric_limits<T>::max();
  }
};
struct Max {
  template <typename T>
  __device__ static T combine(T x, T y) {
    return x < y ? y : x;
  }
  template <typename T>
  __host__ __device__ static constexpr T neutral() {
    return std::numeric_limits<T>::has_infinity ? -std::numeric_limits<T>::infinity()
                                                : std::numeric_limits<T>::lowest();
  }
};

/// This thread's lane, and the mask of the first `lanes` lanes. Blocks are one-dimensional.
__device__ inline int lane_of_thread() {
  return static_cast<int>(threadIdx.x % 32);
}
__device__ inline unsigned mask_of(int lanes) {
  return kFullWarp >> (32 - lanes);
}

/// The combination of all 32 values, in every lane: halves are exchanged five times.
template <typename Op, typename T>
__device__ inline T warp_reduce(T value) {
#pragma unroll
  for (int distance = 16; distance > 0; distance /= 2) {
    value = Op::combine(value, __shfl_xor_sync(kFullWarp, value, distance));
  }
  return value;
}

/// The combination of the first `lanes` values, in each of these lanes; only they take part. For 32
/// lanes the same bits as the other warp_reduce.
template <typename Op, typename T>
__device__ inline T warp_reduce(T value, int lanes) {
  if (lanes == 32) return warp_reduce<Op>(value);
  const unsigned mask = mask_of(lanes);
#pragma unroll
  for (int distance = 16; distance > 0; distance /= 2) {
    const int source = lane_of_thread() + distance;
    const bool there = source < lanes;
    const T other = __shfl_sync(mask, value, there ? source : lane_of_thread());
    if (there) value = Op::combine(value, other);
  }
  return __shfl_sync(mask, value, 0);
}

/// Lane i gets the combination of the values of lanes 0..i. The first `lanes` lanes take part.
template <typename Op, typename T>
__device__ inline T warp_scan(T value, int lanes = 32) {
  const unsigned mask = mask_of(lanes);
#pragma unroll
  for (unsigned distance = 1; distance < 32; distance *= 2) {
    const T before = __shfl_up_sync(mask, value, distance);
    if (threadIdx.x % 32 >= distance) value = Op::combine(before, value);
  }
  return value;
}

/// Lane i gets the combination of the values of lanes 0..i-1; lane 0 the neutral value.
template <typename Op, typename T>
__device__ inline T warp_scan_exclusive(T value, int lanes = 32) {
  const T inclusive = warp_scan<Op>(value, lanes);
  const T before = __shfl_up_sync(mask_of(lanes), inclusive, 1);
  return lane_of_thread() == 0 ? Op::template neutral<T>() : before;
}

}  // namespace tern::cuda
