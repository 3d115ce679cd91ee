#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "tern/interactions.hpp"
#include "tern/types.hpp"

namespace tern {

/// Where an interaction goes; also the index of that split in arrays of three.
enum class SplitPart : std::uint8_t { kTrain, kValid, kTest };
inline constexpr std::size_t kSplitParts = 3;

/// When an interaction happened: by time, then by place in the file. Places do not repeat.
struct Recency {
  double time = 0.0;
  std::int64_t place = 0;
  friend auto operator<=>(const Recency&, const Recency&) = default;
};

/// Interactions with the recency of each, in CSR order; of a repeat that of the newest.
struct DatedInteractions {
  Interactions interactions;
  std::vector<Recency> recency;
};

/// times: of every pair, or empty: all the same. Adds the repeats to *duplicates.
/// O(U + E log d), d the largest degree.
DatedInteractions date_interactions(NodeId num_users, NodeId num_items,
                                    std::span<const Interaction> pairs,
                                    std::span<const double> times, std::int64_t* duplicates);

/// Each user's row, in a random order of the user's own (stream kSplit, index the user's id), gives
/// its first nearest(test · degree) to test, at least one while one stays, none for test = 0; then
/// of the rest likewise to validation. Returns a part for every interaction, in CSR order.
std::vector<SplitPart> split_randomly(const Interactions& all, double test, double valid,
                                      Seed seed);
/// nearest(test · items with interactions) of these, drawn at random (stream kSplit, epoch 1), give
/// all of their interactions to test, at least one item while one stays; the rest is split into
/// training and validation by split_randomly.
std::vector<SplitPart> split_cold_items(const Interactions& all, double test, double valid,
                                        Seed seed);
/// The newest interaction of users with two or more to test; the one before, of users with three or
/// more, to validation where valid is not 0.
std::vector<SplitPart> split_last(const DatedInteractions& all, double valid);
/// The newest nearest(test · E) of all to test, then nearest(valid · rest) to validation; at least
/// one of each where it is not 0, while one stays.
std::vector<SplitPart> split_by_time(const DatedInteractions& all, double test, double valid);

/// The three matrices, of the same users and items, that the parts make of one.
std::array<Interactions, kSplitParts> apply_split(const Interactions& all,
                                                  std::span<const SplitPart> parts);

}  // namespace tern
