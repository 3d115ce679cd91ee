#pragma once

#include <cmath>
#include <cstdint>
#include <span>

#include "tern/sampling.hpp"
#include "tern/types.hpp"

namespace tern {

/// The probability with which the sampler draws an item as a negative, by the item's degree, if no item
/// is left out: scale (degree / unit)^exponent, or scale alone if all items are alike. The user's own
/// items, which are never drawn, are a small part of the catalogue, and do not count here.
struct NegativeShare {
  double scale = 1.0;
  double unit = 0.0;  // 0: all items are alike
  double exponent = 0.0;

  TERN_HD double operator()(double degree) const {
    if (unit == 0.0) return scale;
    return degree == 0.0 ? 0.0 : scale * std::pow(degree / unit, exponent);
  }
};

/// degrees: of all items; read only for popularity. Throws nothing.
NegativeShare negative_share(const SamplingOptions& options, std::int64_t num_items,
                             std::span<const std::int64_t> degrees);

/// The share of an item among the columns of a batch with M sampled negatives a pair: that of a mixture
/// of one interaction and M negatives, (max(degree, 1) / interactions + M share(degree)) / (1 + M); without
/// negatives, M = 0, that of the interaction.
/// Source: Yang et al. 2020, "Mixed Negative Sampling".
TERN_HD inline double column_share(double degree, double interactions, const NegativeShare& share,
                                   std::int32_t negatives) {
  const double paired = (degree < 1.0 ? 1.0 : degree) / interactions;
  return (paired + negatives * share(degree)) / (1.0 + negatives);
}

}  // namespace tern
