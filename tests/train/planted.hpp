#pragma once

#include <cstdint>
#include <random>
#include <set>
#include <vector>

#include "tern/config.hpp"
#include "tern/dataset.hpp"

namespace tern::test {

/// Users and items in equal groups: a user interacts with items of its own group, and with a few of
/// any group. 60% of a user's interactions are for training, 20% each for validation and test.
/// The last user has no interactions at all. num_items: at least 40.
inline Dataset planted_dataset(NodeId num_users = 120, NodeId num_items = 80,
                               std::uint32_t seed = 1) {
  constexpr NodeId kGroups = 4;
  constexpr int kPerUser = 12;
  std::mt19937 random(seed);
  std::uniform_int_distribution<NodeId> any_item(0, num_items - 1);
  std::uniform_int_distribution<NodeId> in_group(0, num_items / kGroups - 1);
  std::bernoulli_distribution stray(0.15);
  std::vector<Interaction> train;
  std::vector<Interaction> valid;
  std::vector<Interaction> test;
  for (NodeId user = 0; user + 1 < num_users; ++user) {
    std::set<NodeId> seen;
    while (static_cast<int>(seen.size()) < kPerUser) {
      const NodeId item =
          stray(random) ? any_item(random) : in_group(random) * kGroups + user % kGroups;
      if (!seen.insert(item).second) continue;
      const std::size_t turn = seen.size() % 5;
      (turn == 0 ? valid : turn == 1 ? test : train).push_back({user, item});
    }
  }
  Dataset data;
  data.train = Interactions::from_pairs(num_users, num_items, train);
  data.valid = Interactions::from_pairs(num_users, num_items, valid);
  data.test = Interactions::from_pairs(num_users, num_items, test);
  return data;
}

/// A job that learns the planted groups in a second.
inline Config planted_config(ModelKind kind = ModelKind::kLightGcn) {
  Config config;
  config.model.kind = kind;
  config.model.width = 8;
  config.model.layers = 2;
  config.optimizer.adam.learning_rate = 0.02;
  config.evaluation.ks = {5, 10};
  config.metric = "recall@10";
  config.epochs = 20;
  config.batch_size = 100;
  config.evaluate_every = 5;
  config.patience = 0;
  config.seed = Seed{5};
  return config;
}

}  // namespace tern::test
