#pragma once

#include <vector>

#include "tern/interactions.hpp"
#include "tern/types.hpp"

namespace tern {

/// Which nodes stay: 1, or 0 for one that is dropped.
struct KeptNodes {
  std::vector<char> users;
  std::vector<char> items;
};

/// The k-core of the bipartite graph: the largest set of users and items that have at least k
/// interactions each within the set. Unique. Peels one node at a time: O(U + I + E).
/// Source: Batagelj and Zaversnik 2003, "An O(m) algorithm for cores decomposition of networks".
KeptNodes find_k_core(const Interactions& interactions, int k);

}  // namespace tern
