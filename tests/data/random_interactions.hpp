#pragma once

#include <random>
#include <vector>

#include "tern/interactions.hpp"

namespace tern::testing {

/// Interactions of users and items whose degrees vary.
inline Interactions random_interactions(NodeId users, NodeId items, int pairs, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<Interaction> list;
  for (int e = 0; e < pairs; ++e) {
    const auto skew = [&](NodeId n) {
      const double u = static_cast<double>(random() % 10'000) / 10'000;
      return static_cast<NodeId>(u * u * n);
    };
    list.push_back({skew(users), skew(items)});
  }
  return Interactions::from_pairs(users, items, list);
}

}  // namespace tern::testing
