#include "host/data/k_core.hpp"

#include <array>
#include <cstdint>

namespace tern {

KeptNodes find_k_core(const Interactions& interactions, int k) {
  const Interactions transposed = interactions.transposed();
  const std::array<const Interactions*, 2> sides{&interactions, &transposed};
  std::array<std::vector<char>, 2> kept;
  std::array<std::vector<EdgeOffset>, 2> degrees;
  struct Node {
    std::size_t side;
    NodeId id;
  };
  std::vector<Node> dropped;  // their neighbours' degrees are not reduced yet

  for (std::size_t side = 0; side < 2; ++side) {
    const NodeId num_nodes = sides[side]->num_users();
    kept[side].assign(static_cast<std::size_t>(num_nodes), 1);
    degrees[side].resize(static_cast<std::size_t>(num_nodes));
    for (NodeId id = 0; id < num_nodes; ++id) {
      degrees[side][id] = static_cast<EdgeOffset>(sides[side]->row(id).size());
      if (degrees[side][id] < k) {
        kept[side][id] = 0;
        dropped.push_back({side, id});
      }
    }
  }
  while (!dropped.empty()) {
    const Node node = dropped.back();
    dropped.pop_back();
    const std::size_t other = 1 - node.side;
    for (const NodeId neighbour : sides[node.side]->row(node.id)) {
      if (--degrees[other][neighbour] < k && kept[other][neighbour] != 0) {
        kept[other][neighbour] = 0;
        dropped.push_back({other, neighbour});
      }
    }
  }
  return {std::move(kept[0]), std::move(kept[1])};
}

}  // namespace tern
