#pragma once

// One step of Adam for a vector of a table, in the kernels of adam and in the propagation that computes
// the gradient (propagate.cu): the same bits in both.

#include <cuda_runtime.h>

#include <cstdint>

#include "cuda/ops/adam.hpp"
#include "cuda/ops/fault.cuh"
#include "cuda/support/bf16.cuh"
#include "cuda/support/vector.cuh"

namespace tern::cuda {
namespace {

struct AdamCoefficients {
  float beta1;
  float one_minus_beta1;
  float beta2;
  float one_minus_beta2;
  float step_size;        // lr / (1 - β1ᵗ)
  float root_correction;  // 1 / sqrt(1 - β2ᵗ)
};

/// The coefficients of step t, from β1ᵗ and β2ᵗ.
__device__ inline AdamCoefficients adam_coefficients(const AdamTask& task, double power1,
                                                     double power2) {
  return {static_cast<float>(task.beta1),
          static_cast<float>(1.0 - task.beta1),
          static_cast<float>(task.beta2),
          static_cast<float>(1.0 - task.beta2),
          static_cast<float>(task.learning_rate / (1.0 - power1)),
          static_cast<float>(1.0 / sqrt(1.0 - power2))};
}

/// The step that an update makes.
__device__ inline std::int64_t step_of(const AdamTask& task) {
  return *task.step + task.uncounted;
}

__device__ inline AdamCoefficients adam_coefficients(const AdamTask& task) {
  const std::int64_t counted = *task.step;
  const StepDecay* decay = task.decay;
  if (decay != nullptr && decay->step == counted && counted > 0 && decay->beta1 == task.beta1 &&
      decay->beta2 == task.beta2) {
    return task.uncounted == 0 ? adam_coefficients(task, decay->power1, decay->power2)
                               : adam_coefficients(task, decay->next_power1, decay->next_power2);
  }
  const auto t = static_cast<double>(step_of(task));
  return adam_coefficients(task, pow(task.beta1, t), pow(task.beta2, t));
}

__device__ inline void adam_element(const AdamTask& task, const AdamCoefficients& c, float gradient,
                                    float& parameter, float& first, float& second) {
  const float g = fmaf(task.weight_decay, parameter, gradient);
  first = fmaf(c.beta1, first, c.one_minus_beta1 * g);
  second = fmaf(c.beta2, second, c.one_minus_beta2 * g * g);
  const float denominator = fmaf(sqrtf(second), c.root_correction, task.epsilon);
  parameter = fmaf(-c.step_size, first / denominator, parameter);
}

/// The first `used` elements of a vector. The padding beyond the columns must stay zero: without ε it
/// would become 0 / 0.
__device__ inline void adam_elements(const AdamTask& task, const AdamCoefficients& c,
                                     std::int64_t used, float4 g, float4& p, float4& m, float4& v) {
  adam_element(task, c, g.x, p.x, m.x, v.x);
  if (used > 1) adam_element(task, c, g.y, p.y, m.y, v.y);
  if (used > 2) adam_element(task, c, g.z, p.z, m.z, v.z);
  if (used > 3) adam_element(task, c, g.w, p.w, m.w, v.w);
}

/// Updates vector `at` of the table from its gradient g and its value p; `place` is its index within its
/// row. Moments are not needed before the next step: they bypass the cache.
__device__ inline void adam_vector(const AdamTask& task, const AdamCoefficients& c, std::int64_t at,
                                   std::int64_t place, float4 g, float4 p) {
  float4 m = __ldcs(as_vectors(task.first_moment) + at);
  float4 v = __ldcs(as_vectors(task.second_moment) + at);
  adam_elements(task, c, task.cols - place * kVector, g, p, m, v);
  __stcs(as_vectors(task.first_moment) + at, m);
  __stcs(as_vectors(task.second_moment) + at, v);
  as_vectors(task.parameter)[at] = p;
  store_copy_at(task.copy, task.stride / kVector, at, p);
  // A first moment that is not finite makes the parameter not finite: no need to test it.
  if (!(all_finite(p) && all_finite(v)) && task.fault != nullptr)
    note_fault(task.fault, step_of(task));
}

}  // namespace
}  // namespace tern::cuda
