#pragma once

#include <cstdint>
#include <random>
#include <set>
#include <string>
#include <utility>
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

/// The same data with features that give the groups: as a category, which is wrong for one node of
/// eight, and as a number, beside a number without meaning.
inline Dataset with_planted_features(Dataset data, std::uint32_t seed = 2) {
  constexpr NodeId kGroups = 4;
  std::mt19937 random(seed);
  const auto features_of = [&](NodeId nodes) {
    Features features;
    features.names = {"weight", "height", "group=0", "group=1", "group=2", "group=3"};
    // A category that no node has keeps the columns sparse enough to count as categories.
    for (int i = 0; i < 8; ++i) features.names.push_back("group=none" + std::to_string(i));
    for (NodeId node = 0; node < nodes; ++node) {
      const auto noise = static_cast<float>(random() % 100) / 25.0F;
      std::vector<float> row(features.names.size(), 0.0F);
      row[0] = noise;
      row[1] = static_cast<float>(node % kGroups) * 10.0F + noise;
      row[2 + static_cast<std::size_t>(random() % 8 == 0 ? random() % kGroups
                                                         : static_cast<unsigned>(node % kGroups))] =
          1.0F;
      features.values.insert(features.values.end(), row.begin(), row.end());
    }
    return features;
  };
  data.user_features = features_of(data.train.num_users());
  data.item_features = features_of(data.train.num_items());
  return data;
}

/// With features if the model reads them.
inline Dataset planted_dataset_for(ModelKind kind, NodeId num_users = 120, NodeId num_items = 80) {
  Dataset data = planted_dataset(num_users, num_items);
  return kind == ModelKind::kGcMc ? with_planted_features(std::move(data)) : data;
}

/// Every model; gcmc comes with features, learned ids, two layers and both dropouts.
inline constexpr ModelKind kModels[] = {ModelKind::kLightGcn, ModelKind::kMatrixFactorization,
                                        ModelKind::kGcMc};

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
  if (kind == ModelKind::kGcMc) {
    config.model.inputs = InputKind::kBoth;
    config.model.hidden = {6};
    config.model.dropout = 0.1;
    config.model.message_dropout = 0.05;
  }
  return config;
}

}  // namespace tern::test
