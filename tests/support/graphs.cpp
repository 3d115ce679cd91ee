#include "tests/support/graphs.hpp"

#include <algorithm>
#include <cmath>

#include "tern/random.hpp"

namespace tern::test {
namespace {

using Pairs = std::vector<Interaction>;

/// One user with every item, among users without items.
Interactions hub_user(NodeId num_users, NodeId num_items) {
  Pairs pairs;
  for (NodeId item = 0; item < num_items; ++item) pairs.push_back({num_users / 2, item});
  return Interactions::from_pairs(num_users, num_items, pairs);
}

/// One item that every user has; besides, each user has an item of their own.
Interactions hub_item(NodeId num_users, NodeId num_items) {
  Pairs pairs;
  for (NodeId user = 0; user < num_users; ++user) {
    pairs.push_back({user, 0});
    pairs.push_back({user, 1 + user % (num_items - 1)});
  }
  return Interactions::from_pairs(num_users, num_items, pairs);
}

Interactions banded(NodeId num_users, NodeId num_items, NodeId half_width) {
  Pairs pairs;
  for (NodeId user = 0; user < num_users; ++user) {
    const NodeId last = std::min(num_items - 1, user + half_width);
    for (NodeId item = std::max(0, user - half_width); item <= last; ++item) {
      pairs.push_back({user, item});
    }
  }
  return Interactions::from_pairs(num_users, num_items, pairs);
}

/// Degrees fall like a power of the rank on both sides.
Interactions power_law(NodeId num_users, NodeId num_items, std::int64_t num_draws) {
  RandomStream stream(Seed{7}, Purpose::kGenerate, 0, 0);
  const auto draw = [&](NodeId n) {
    return std::min(n - 1, static_cast<NodeId>(n * std::pow(stream.uniform(), 3)));
  };
  Pairs pairs;
  for (std::int64_t i = 0; i < num_draws; ++i) {
    const NodeId user = draw(num_users);
    pairs.push_back({user, draw(num_items)});
  }
  return Interactions::from_pairs(num_users, num_items, pairs);
}

/// Every third user and every fourth item has no interactions.
Interactions with_gaps(NodeId num_users, NodeId num_items) {
  Pairs pairs;
  for (NodeId user = 0; user < num_users; ++user) {
    for (NodeId item = 0; item < num_items; ++item) {
      if (user % 3 != 0 && item % 4 != 0 && (user * 7 + item * 5) % 6 == 0) {
        pairs.push_back({user, item});
      }
    }
  }
  return Interactions::from_pairs(num_users, num_items, pairs);
}

/// More users than the 65,535 blocks of a grid dimension; two in three have one item.
Interactions tall(NodeId num_users, NodeId num_items) {
  Pairs pairs;
  for (NodeId user = 0; user < num_users; ++user) {
    if (user % 3 != 0) pairs.push_back({user, (user * 13) % num_items});
  }
  return Interactions::from_pairs(num_users, num_items, pairs);
}

/// Users with the degrees at which kernels change their strategy, and the degrees next to these.
Interactions thresholds() {
  constexpr NodeId kItems = 4100;
  Pairs pairs;
  NodeId user = 0;
  for (const NodeId degree : {1,  3,  4,   5,   15,  16,  17,  31,   32,   33,   63,   64,  65,
                              80, 81, 128, 129, 255, 256, 257, 2047, 2048, 2049, 4096, 4097}) {
    for (NodeId item = 0; item < degree; ++item) pairs.push_back({user, kItems - 1 - item});
    ++user;
  }
  return Interactions::from_pairs(user, kItems, pairs);
}

}  // namespace

Interactions random_interactions(NodeId num_users, NodeId num_items, double density,
                                 std::uint64_t seed) {
  RandomStream stream(Seed{seed}, Purpose::kGenerate, 0, 1);
  Pairs pairs;
  for (NodeId user = 0; user < num_users; ++user) {
    for (NodeId item = 0; item < num_items; ++item) {
      if (stream.uniform() <= density) pairs.push_back({user, item});
    }
  }
  return Interactions::from_pairs(num_users, num_items, pairs);
}

std::vector<NamedGraph> graph_battery(std::int64_t budget) {
  const Pairs one{{2, 1}};
  std::vector<NamedGraph> all{
      {"no_nodes", Interactions::from_pairs(0, 0, {}), {3}},
      {"no_users", Interactions::from_pairs(0, 5, {}), {3}},
      {"no_edges", Interactions::from_pairs(6, 5, {}), {1, 64}},
      {"single_edge", Interactions::from_pairs(4, 3, one), {1, 2, 1000, 2100}},
      {"complete", random_interactions(9, 7, 1.0, 1), {3, 33, 200}},
      {"hub_user", hub_user(5, 5000), {1, 33}},
      {"hub_item", hub_item(3000, 11), {8, 31}},
      {"thresholds", thresholds(), {3, 64}},
      {"banded", banded(257, 251, 3), {16, 64, 100}},
      {"power_law", power_law(700, 500, 6000), {32, 64, 128}},
      {"gaps", with_gaps(50, 43), {2, 256, 512}},
      {"dense", random_interactions(40, 1100, 0.6, 2), {3, 64}},
      {"tall", tall(70'000, 301), {1, 8}},
      {"wide", tall(70'000, 301).transposed(), {2, 8}},
  };
  for (NamedGraph& graph : all) {
    const EdgeOffset cost =
        graph.interactions.size() + graph.interactions.num_users() + graph.interactions.num_items();
    std::erase_if(graph.widths, [&](std::int64_t width) { return cost * width > budget; });
  }
  std::erase_if(all, [](const NamedGraph& graph) { return graph.widths.empty(); });
  return all;
}

}  // namespace tern::test
