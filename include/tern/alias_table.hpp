#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tern/types.hpp"

namespace tern {

/// Walker's alias method with integer thresholds, so that every backend draws the same items:
/// with c uniform over [0, n) and w a random 32-bit word, the draw is c if w < threshold[c], else
/// alias[c].
struct AliasTable {
  std::vector<std::uint32_t> threshold;
  std::vector<NodeId> alias;
};

/// The distribution p_i ∝ degree_i^exponent (0 for degree 0), to within 2⁻³² a cell. O(n), f64, in
/// one fixed order: the same table on every machine. Throws ConfigError if every degree is zero or
/// the exponent is not finite. Source: Vose 1991, "A linear algorithm for generating random numbers
/// with a given distribution".
AliasTable make_alias_table(std::span<const std::int64_t> degrees, double exponent);

}  // namespace tern
