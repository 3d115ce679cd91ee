#pragma once

#include <cmath>

#include "tern/op_options.hpp"
#include "tern/types.hpp"

namespace tern {

/// The weight w = sigmoid((s⁺ - β) / τ_w) of a pair with cosine s⁺, and its slope ∂w/∂s⁺, at most 1e30 so
/// that f32 holds what it is multiplied by. Those of a pair without a threshold are the defaults.
struct PairFactor {
  double weight = 1.0;
  double slope = 0.0;
};

TERN_HD inline PairFactor pair_factor(double cosine, double threshold, double temperature) {
  const double weight = 1.0 / (1.0 + std::exp((threshold - cosine) / temperature));
  const double slope = weight * (1.0 - weight) / temperature;
  return {weight, slope > 1e30 ? 1e30 : slope};
}

/// The checks of pair weights: throw ConfigError unless τ_w is positive, or on thresholds for a loss that
/// has none, ShapeError unless the thresholds are (1, U).
void check_pair_weight(const InBatchSoftmaxOptions& options, NodeId num_users);
void check_pair_weight(const SampledContrastOptions& options, NodeId num_users);

}  // namespace tern
