#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "cuda/support/gather_copy.hpp"
#include "cuda/support/vector.cuh"

namespace tern::cuda {

// Two bf16 in a word, the first in its lower half, as a little-endian processor reads them.

__device__ inline float lower_half(std::uint32_t pair) {
  return __uint_as_float(pair << 16);
}
__device__ inline float upper_half(std::uint32_t pair) {
  return __uint_as_float(pair & 0xffff0000u);
}
__device__ inline std::uint32_t rounded_pair(float first, float second) {
  return to_bf16(first) | static_cast<std::uint32_t>(to_bf16(second)) << 16;
}

/// weight · x + sum for four elements in two words, each rounded once.
__device__ inline float4 fma(float weight, uint2 x, float4 sum) {
  return make_float4(fmaf(weight, lower_half(x.x), sum.x), fmaf(weight, upper_half(x.x), sum.y),
                     fmaf(weight, lower_half(x.y), sum.z), fmaf(weight, upper_half(x.y), sum.w));
}

/// Rounds vector `place` of a row to the copy of its matrix, if there is one.
__device__ inline void store_copy(const GatherCopyView& copy, std::int64_t row, std::int64_t place,
                                  float4 value) {
  if (copy.values == nullptr) return;
  const std::int64_t stride = copy.vectors * kCopyUnit;
  *reinterpret_cast<uint2*>(copy.values + row * stride + place * kVector) =
      make_uint2(rounded_pair(value.x, value.y), rounded_pair(value.z, value.w));
}

/// The same for vector `at` of a matrix whose rows have `vectors` of them. Rows that lie in the copy as
/// in the matrix need no division.
__device__ inline void store_copy_at(const GatherCopyView& copy, std::int64_t vectors,
                                     std::int64_t at, float4 value) {
  if (copy.values == nullptr) return;
  const bool alike = copy.vectors * kCopyUnit == vectors * kVector;
  store_copy(copy, alike ? 0 : at / vectors, alike ? at : at % vectors, value);
}

}  // namespace tern::cuda
