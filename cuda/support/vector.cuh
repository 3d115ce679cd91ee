#pragma once

#include <cuda_runtime.h>

#include <cmath>
#include <cstdint>

namespace tern::cuda {

// A row of a matrix is read and written 16 bytes at a time: rows start on 16 bytes, their length is
// a whole number of float4, and the padding beyond the width is zero (cuda/storage.hpp). Kernels
// choose the caches by CUDA's own functions: __ldg for data that no thread writes meanwhile, __ldcs
// and __stcs (evict-first) for data that is not needed again soon.

/// Floats in one vector.
inline constexpr std::int64_t kVector = 4;

__host__ __device__ inline const float4* as_vectors(const float* row) {
  return reinterpret_cast<const float4*>(row);
}
__host__ __device__ inline float4* as_vectors(float* row) {
  return reinterpret_cast<float4*>(row);
}

/// weight · x + sum, element by element, rounded once.
__device__ inline float4 fma(float weight, float4 x, float4 sum) {
  return make_float4(fmaf(weight, x.x, sum.x), fmaf(weight, x.y, sum.y), fmaf(weight, x.z, sum.z),
                     fmaf(weight, x.w, sum.w));
}

/// x · y + sum, likewise.
__device__ inline float4 fma(float4 x, float4 y, float4 sum) {
  return make_float4(fmaf(x.x, y.x, sum.x), fmaf(x.y, y.y, sum.y), fmaf(x.z, y.z, sum.z),
                     fmaf(x.w, y.w, sum.w));
}

__device__ inline float4 zero_vector() {
  return make_float4(0.0F, 0.0F, 0.0F, 0.0F);
}

__device__ inline float4 add(float4 x, float4 y) {
  return make_float4(x.x + y.x, x.y + y.y, x.z + y.z, x.w + y.w);
}

__device__ inline float4 subtract(float4 x, float4 y) {
  return make_float4(x.x - y.x, x.y - y.y, x.z - y.z, x.w - y.w);
}

__device__ inline float4 scale(float factor, float4 x) {
  return make_float4(factor * x.x, factor * x.y, factor * x.z, factor * x.w);
}

/// x · y, element by element.
__device__ inline float4 multiply(float4 x, float4 y) {
  return make_float4(x.x * y.x, x.y * y.y, x.z * y.z, x.w * y.w);
}

/// sum + x · y, in the order of the elements.
__device__ inline float dot(float4 x, float4 y, float sum) {
  return fmaf(x.w, y.w, fmaf(x.z, y.z, fmaf(x.y, y.y, fmaf(x.x, y.x, sum))));
}

/// sum + x · y in f64.
__device__ inline double dot(float4 x, float4 y, double sum) {
  sum += static_cast<double>(x.x) * y.x + static_cast<double>(x.y) * y.y;
  return sum + (static_cast<double>(x.z) * y.z + static_cast<double>(x.w) * y.w);
}

__device__ inline bool all_finite(float4 x) {
  return std::isfinite(x.x) && std::isfinite(x.y) && std::isfinite(x.z) && std::isfinite(x.w);
}

/// Adds x to a vector to which other threads may add too, in any order.
__device__ inline void atomic_add(float4* to, float4 x) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  atomicAdd(to, x);  // one instruction, atomic for each element
#else
  atomicAdd(&to->x, x.x);
  atomicAdd(&to->y, x.y);
  atomicAdd(&to->z, x.z);
  atomicAdd(&to->w, x.w);
#endif
}

}  // namespace tern::cuda
