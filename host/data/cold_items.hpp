#pragma once

#include <span>
#include <vector>

#include "tern/interactions.hpp"

namespace tern {

/// The items without an interaction, ascending.
std::vector<NodeId> cold_items(const Interactions& train);
/// Only the columns of these items (ascending ids), renumbered from 0.
Interactions restrict_items(const Interactions& interactions, std::span<const NodeId> items);

}  // namespace tern
