#pragma once

#include <cuda_runtime.h>

#include <limits>

namespace tern::cuda {

// Reductions over a warp. Every result has one order of operations, which depends on the
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

}  // namespace tern::cuda
