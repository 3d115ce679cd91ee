#pragma once

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <span>
#include <vector>

#include "tern/op_options.hpp"

namespace tern::cpu {

/// Adam's coefficients that are the same in every step, as the SIMD kernels use them.
struct AdamCoefficients {
  explicit AdamCoefficients(const AdamOptions& options);

  float beta1 = 0.0F;
  float one_minus_beta1 = 0.0F;
  float beta2 = 0.0F;
  float one_minus_beta2 = 0.0F;
  float epsilon = 0.0F;
  float weight_decay = 0.0F;
};

/// The coefficients of one step t.
struct AdamCorrection {
  float step_size = 0.0F;        // lr / (1 - β1ᵗ)
  float root_correction = 0.0F;  // 1 / sqrt(1 - β2ᵗ)

  bool operator==(const AdamCorrection&) const = default;
};

AdamCorrection adam_correction(const AdamOptions& options, std::int64_t step);

/// The corrections of steps from the first, computed once: adam_catch_up needs those of many steps, and
/// a power takes longer than a row's step. They end where they stop changing: after 17,000 steps with the
/// default betas, in general after about 17 / (1 - β) steps, β the larger one. Until then the table grows
/// by 8 bytes a step.
class AdamCorrections {
 public:
  /// For correction_at, with steps up to `last`, at least 1.
  std::span<const AdamCorrection> up_to(std::int64_t last, const AdamOptions& options);

 private:
  AdamOptions options_;  // of the corrections
  std::vector<AdamCorrection> steps_;
};

inline const AdamCorrection& correction_at(std::span<const AdamCorrection> corrections,
                                           std::int64_t step) {
  return corrections[static_cast<std::size_t>(std::min(step, std::ssize(corrections)) - 1)];
}

}  // namespace tern::cpu
