#pragma once

#include <string>

#include "tern/config.hpp"
#include "tern/dataset_builder.hpp"

namespace tern::test {

/// Users u0 to u23, items i0 to i11: a user has all items of its half (even or odd) but one. "cold" is an
/// item without interactions, "new" such a user. left_out: shifts the items that are missing.
inline Dataset halves(int left_out = 0) {
  DatasetBuilder builder;
  for (int user = 0; user < 24; ++user) {
    for (int item = 0; item < 12; ++item) {
      if (user % 2 != item % 2 || (user / 2 + left_out) % 12 == item) continue;
      const bool held_out = (user + item) % 5 == 0;
      builder.add("u" + std::to_string(user), "i" + std::to_string(item),
                  {.part = held_out ? SplitPart::kValid : SplitPart::kTrain});
    }
  }
  builder.add_node(Side::kItem, "cold").add_node(Side::kUser, "new");
  return builder.build();
}

inline Config halves_config() {
  Config config;
  config.model.width = 8;
  config.model.layers = 2;
  config.epochs = 20;
  config.optimizer.adam.learning_rate = 0.05;
  config.evaluation.ks = {6};
  config.metric = "recall@6";
  return config;
}

}  // namespace tern::test
