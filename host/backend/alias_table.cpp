#include "tern/alias_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "tern/error.hpp"

namespace tern {
namespace {

/// degree^exponent up to a common factor that keeps every power within [0, 1], so that no exponent
/// overflows. Degree 0 weighs nothing, whatever the exponent.
std::vector<double> relative_weights(std::span<const std::int64_t> degrees, double exponent) {
  std::int64_t largest = 0;
  std::int64_t smallest = std::numeric_limits<std::int64_t>::max();  // positive degree
  for (std::size_t i = 0; i < degrees.size(); ++i) {
    if (degrees[i] < 0) {
      throw ConfigError(fmt::format("degree {}: found {}, expected 0 or more", i, degrees[i]));
    }
    largest = std::max(largest, degrees[i]);
    if (degrees[i] > 0) smallest = std::min(smallest, degrees[i]);
  }
  if (largest == 0) {
    throw ConfigError("items cannot be drawn by popularity: every degree is zero");
  }
  const auto unit = static_cast<double>(exponent >= 0 ? largest : smallest);
  std::vector<double> weights(degrees.size(), 0.0);
  for (std::size_t i = 0; i < degrees.size(); ++i) {
    if (degrees[i] > 0) weights[i] = std::pow(static_cast<double>(degrees[i]) / unit, exponent);
  }
  return weights;
}

std::uint32_t to_threshold(double probability) {
  constexpr double kMax = std::numeric_limits<std::uint32_t>::max();
  return static_cast<std::uint32_t>(std::clamp(std::round(probability * 0x1p32), 0.0, kMax));
}

}  // namespace

AliasTable make_alias_table(std::span<const std::int64_t> degrees, double exponent) {
  if (!std::isfinite(exponent)) {
    throw ConfigError(
        fmt::format("popularity exponent: found {}, expected a finite number", exponent));
  }
  if (degrees.size() > static_cast<std::size_t>(std::numeric_limits<NodeId>::max())) {
    throw ConfigError(
        fmt::format("alias table: found {} items, expected fewer than 2^31", degrees.size()));
  }
  std::vector<double> mass = relative_weights(degrees, exponent);
  double total = 0;
  for (const double weight : mass) total += weight;
  const auto num_items = static_cast<NodeId>(mass.size());
  // In units of one cell: the mean becomes 1.
  for (double& weight : mass) weight *= num_items / total;

  // Cells below 1 are filled up from cells above; a donor that falls below 1 is filled up in turn.
  std::vector<NodeId> poor;
  std::vector<NodeId> rich;
  for (NodeId i = 0; i < num_items; ++i) (mass[i] < 1 ? poor : rich).push_back(i);
  AliasTable table;
  table.threshold.resize(mass.size());
  table.alias.resize(mass.size());
  while (!poor.empty() && !rich.empty()) {
    const NodeId taker = poor.back();
    const NodeId donor = rich.back();
    poor.pop_back();
    table.threshold[taker] = to_threshold(mass[taker]);
    table.alias[taker] = donor;
    mass[donor] = (mass[donor] + mass[taker]) - 1;
    if (mass[donor] < 1) {
      rich.pop_back();
      poor.push_back(donor);
    }
  }
  // The remaining cells hold 1 but for rounding. A cell aliased to itself is whole at any
  // threshold.
  for (const auto* rest : {&poor, &rich}) {
    for (const NodeId i : *rest) {
      table.threshold[i] = to_threshold(mass[i]);
      table.alias[i] = i;
    }
  }
  return table;
}

}  // namespace tern
