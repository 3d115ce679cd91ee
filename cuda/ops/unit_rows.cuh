#pragma once

// Helpers of all ops that make unit rows x̂ = x / max(‖x‖, 1e-12). Norms are f64: squares of 1e20 and
// 1e-20 fit.

#include <cuda_runtime.h>

namespace tern::cuda {
namespace {

constexpr double kSmallestNorm = 1e-12;

/// The divisor of a row of this norm. A comparison, not fmax, which would lose a NaN.
__device__ inline double divisor_of(double norm) {
  return norm <= kSmallestNorm ? kSmallestNorm : norm;
}

__device__ inline float4 scale_f64(double factor, float4 x) {
  return make_float4(static_cast<float>(factor * x.x), static_cast<float>(factor * x.y),
                     static_cast<float>(factor * x.z), static_cast<float>(factor * x.w));
}

}  // namespace
}  // namespace tern::cuda
