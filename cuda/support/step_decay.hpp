#pragma once

#include <cstdint>

namespace tern::cuda {

/// β1ᵗ and β2ᵗ of Adam's bias corrections, in device memory beside the counter of steps. An f64 power
/// takes a thread longer than a whole row: `increment` computes them once a step for all tables, and
/// for the betas that are here. They hold for this step and these betas alone.
struct StepDecay {
  std::int64_t step;  // t; 0: no powers yet
  double beta1;
  double beta2;
  double power1;  // β1ᵗ
  double power2;
};

}  // namespace tern::cuda
