#pragma once

namespace tern::cpu {

/// Adam's coefficients at one step, as the SIMD kernel uses them.
struct AdamCoefficients {
  float beta1 = 0.0F;
  float one_minus_beta1 = 0.0F;
  float beta2 = 0.0F;
  float one_minus_beta2 = 0.0F;
  float step_size = 0.0F;        // lr / (1 - β1ᵗ)
  float root_correction = 0.0F;  // 1 / sqrt(1 - β2ᵗ)
  float epsilon = 0.0F;
  float weight_decay = 0.0F;
};

}  // namespace tern::cpu
