#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tern/interactions.hpp"

namespace tern::test {

/// A graph of the battery, and the widths D that it is tried with.
struct NamedGraph {
  std::string name;
  Interactions interactions;
  std::vector<std::int64_t> widths;
};

/// The awkward graphs that every op is tested on. A width is left out if (edges + nodes) · width
/// exceeds the budget. The graphs together have the widths 1, 2, 3, 8, 16, 31, 32, 33, 64,
/// 100, 128, 200, 256, 512, 1000, 2100.
std::vector<NamedGraph> graph_battery(std::int64_t budget);

/// Contains each of the num_users · num_items pairs with probability `density`.
Interactions random_interactions(NodeId num_users, NodeId num_items, double density,
                                 std::uint64_t seed);

}  // namespace tern::test
