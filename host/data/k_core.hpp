#pragma once

#include <vector>

#include "tern/interactions.hpp"
#include "tern/types.hpp"

namespace tern {

/// For each node 1 if it stays, 0 if it is dropped.
struct KeptNodes {
  std::vector<char> users;
  std::vector<char> items;
};

/// The k-core of the bipartite graph: the largest set of users and items that have at least k
/// interactions each within the set. Unique. Peels one node at a time: O(U + I + E).
/// Source: Batagelj and Zaversnik 2003, "An O(m) algorithm for cores decomposition of networks".
KeptNodes find_k_core(const Interactions& interactions, int k);

}  // namespace tern
