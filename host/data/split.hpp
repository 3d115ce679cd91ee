#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "tern/dataset_builder.hpp"
#include "tern/interactions.hpp"
#include "tern/types.hpp"

namespace tern {

inline constexpr std::size_t kSplitParts = 3;

/// Orders interactions by time, then by place in the file. Places do not repeat.
struct Recency {
  double time = 0.0;
  std::int64_t place = 0;
  friend auto operator<=>(const Recency&, const Recency&) = default;
};

/// Interactions with their recencies in CSR order; a repeated interaction has its newest.
struct DatedInteractions {
  Interactions interactions;
  std::vector<Recency> recency;
};

/// times: one for each pair, or empty if there are none. Adds the number of repeats to *duplicates.
/// O(U + E log d), d the largest degree.
DatedInteractions date_interactions(NodeId num_users, NodeId num_items,
                                    std::span<const Interaction> pairs,
                                    std::span<const double> times, std::int64_t* duplicates);

/// Shuffles each user's row (stream kSplit, index: the user's id), and puts its first
/// round(test · degree) interactions into test: at least one if another is left for training, none
/// if test = 0. Then takes validation from the rest alike. Returns a part for every interaction, in
/// CSR order.
std::vector<SplitPart> split_randomly(const Interactions& all, double test, double valid,
                                      Seed seed);
/// Draws round(test · n) of the n items with interactions at random (stream kSplit, epoch 1), at
/// least one if another is left, and puts all of their interactions into test. split_randomly splits
/// the rest into training and validation.
std::vector<SplitPart> split_cold_items(const Interactions& all, double test, double valid,
                                        Seed seed);
/// For users with two or more interactions, puts the newest into test; for users with three or more,
/// if valid is not 0, puts the second newest into validation.
std::vector<SplitPart> split_last(const DatedInteractions& all, double valid);
/// Puts the newest round(test · E) interactions into test, then the newest round(valid · rest) into
/// validation; at least one each, unless the share is 0 or none would be left for training.
std::vector<SplitPart> split_by_time(const DatedInteractions& all, double test, double valid);

/// Interactions whose time is that of the oldest one of a part: those in the part, and those before it.
struct TiesAtCut {
  std::int64_t newer = 0;
  std::int64_t older = 0;
};
/// parts: by split_by_time(); newer: the part, whose cut is where it begins.
TiesAtCut count_ties(const DatedInteractions& all, std::span<const SplitPart> parts,
                     SplitPart newer);

/// The matrices of the three parts, all with the same users and items.
std::array<Interactions, kSplitParts> apply_split(const Interactions& all,
                                                  std::span<const SplitPart> parts);

}  // namespace tern
