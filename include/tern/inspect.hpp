#pragma once

#include <cstdint>
#include <optional>

#include "tern/dataset.hpp"
#include "tern/interactions.hpp"

namespace tern {

/// Degrees of one node set, including nodes of degree 0. The q-quantile is the degree at place
/// ceil(q·n) of n in ascending order. All are 0 if there is no node.
struct DegreeSummary {
  std::int64_t min = 0;
  std::int64_t median = 0;
  std::int64_t p90 = 0;
  std::int64_t max = 0;
  double mean = 0.0;
};

struct SideSummary {
  std::int64_t nodes = 0;
  /// Nodes of degree 0.
  std::int64_t empty = 0;
  DegreeSummary degrees;
};

struct InteractionsSummary {
  std::int64_t interactions = 0;
  /// interactions / (U·I); 0 if there is no node.
  double density = 0.0;
  SideSummary users;
  SideSummary items;
  std::int64_t users_with_every_item = 0;
};

/// A held-out split, compared with the training split.
struct HeldOutSummary {
  /// Users with a held-out interaction, over whom metrics are averaged.
  std::int64_t users = 0;
  /// How many of these users have no training interaction.
  std::int64_t users_without_training = 0;
  /// Items with a held-out interaction, but no training interaction.
  std::int64_t items_without_training = 0;
  /// Held-out interactions that are in the training split too. They are masked, hence never a hit.
  std::int64_t also_in_training = 0;
};

struct DatasetSummary {
  InteractionsSummary all;  // the union of the three splits
  InteractionsSummary train;
  InteractionsSummary valid;
  InteractionsSummary test;
  HeldOutSummary held_out_valid;
  HeldOutSummary held_out_test;
  std::int64_t duplicates = 0;
  /// Widths of the features, if there are any.
  std::optional<std::int64_t> user_feature_width;
  std::optional<std::int64_t> item_feature_width;
};

/// O(U + I + E).
InteractionsSummary summarize(const Interactions& interactions);
HeldOutSummary summarize_held_out(const Interactions& train, const Interactions& held_out);
DatasetSummary inspect(const Dataset& data);

}  // namespace tern
