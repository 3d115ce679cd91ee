#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "tern/interactions.hpp"
#include "tern/types.hpp"

namespace tern {

/// The split of an interaction; also the index of that split in arrays of three.
enum class SplitPart : std::uint8_t { kTrain, kValid, kTest };
inline constexpr std::size_t kSplitParts = 3;

/// When an interaction happened: by time, then by place in the file. Places do not repeat.
struct Recency {
  double time = 0.0;
  std::int64_t place = 0;
  friend auto operator<=>(const Recency&, const Recency&) = default;
};

/// Interactions with the recency of each, in CSR order; a repeated one has that of the newest.
struct DatedInteractions {
  Interactions interactions;
  std::vector<Recency> recency;
};

/// times: one for each pair, or empty if there are none. Adds the number of repeats to *duplicates.
/// O(U + E log d), d the largest degree.
DatedInteractions date_interactions(NodeId num_users, NodeId num_items,
                                    std::span<const Interaction> pairs,
                                    std::span<const double> times, std::int64_t* duplicates);

/// Orders each user's row at random (stream kSplit, index the user's id) and puts its first
/// nearest(test · degree) into test: at least one, if one is left for training; none for test = 0.
/// Then the same from the rest into validation. Returns a part for every interaction, in CSR order.
std::vector<SplitPart> split_randomly(const Interactions& all, double test, double valid,
                                      Seed seed);
/// Draws nearest(test · items with interactions) of these items at random (stream kSplit, epoch 1),
/// at least one if another is left, and puts all of their interactions into test; the rest is split
/// into training and validation by split_randomly.
std::vector<SplitPart> split_cold_items(const Interactions& all, double test, double valid,
                                        Seed seed);
/// Puts the newest interaction of users with two or more into test, and, if valid is not 0, the one
/// before, of users with three or more, into validation.
std::vector<SplitPart> split_last(const DatedInteractions& all, double valid);
/// Puts the newest nearest(test · E) of all into test, then the newest nearest(valid · rest) into
/// validation; at least one each, unless the share is 0 or none would be left.
std::vector<SplitPart> split_by_time(const DatedInteractions& all, double test, double valid);

/// The three matrices of the parts, with the same users and items.
std::array<Interactions, kSplitParts> apply_split(const Interactions& all,
                                                  std::span<const SplitPart> parts);

}  // namespace tern
