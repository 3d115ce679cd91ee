#pragma once

#include <cstdint>

namespace tern::cuda {

/// β1ᵗ and β2ᵗ of Adam's bias corrections, in device memory beside the counter of steps. An f64 power
/// takes a thread longer than a whole row: `increment` computes them once a step for all tables, and
/// for the betas that are here. They hold for this step, or the next, and these betas alone.
struct StepDecay {
  std::int64_t step;  // t; 0: no powers yet
  double beta1;
  double beta2;
  double power1;  // β1ᵗ
  double power2;
  double next_power1;  // β1ᵗ⁺¹, for an update whose step is counted after it
  double next_power2;
};

}  // namespace tern::cuda
