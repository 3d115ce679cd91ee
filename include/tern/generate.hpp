#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "tern/interactions.hpp"
#include "tern/types.hpp"
#include "tern/vocabulary.hpp"

namespace tern {

/// Synthetic data with planted tastes and power-law degrees.
struct GenerateOptions {
  NodeId users = 10'000;
  NodeId items = 5'000;
  /// The number of distinct pairs; every user gets at least one. In [users, users · items / 2].
  std::int64_t interactions = 200'000;
  /// The number of tastes. Every user and every item has one, in equal parts.
  int tastes = 16;
  /// γ of the degree law P(degree = d) ∝ d^-γ, above 1; greater is more even.
  double user_exponent = 2.5;
  double item_exponent = 2.2;
  /// The share of interactions that ignore the user's taste, in [0, 1].
  double noise = 0.1;
  Seed seed{0};
};

struct GeneratedData {
  Interactions interactions;
  /// The planted truth: the taste of every user and item, in [0, tastes).
  std::vector<std::int32_t> user_tastes;
  std::vector<std::int32_t> item_tastes;
};

/// Draws a data set. Degrees of users follow a power law over a random ranking, scaled to the wanted
/// total, at least 1 and at most half of the items. Each interaction of a user is, with probability
/// 1 - noise, with an item of the user's taste, else with any item; items are drawn by their own power
/// law, without repeats. If no item of a taste is left, the rest is drawn from all items.
/// Deterministic for every thread count; O(U + I + E) time expected. Throws ConfigError on options
/// out of range.
GeneratedData generate(const GenerateOptions& options);

/// Writes an adjacency list: a line "user item item ..." for every user, including users without
/// items. The file is replaced atomically. Throws Error with the path and the system's reason.
void write_adjacency(const std::filesystem::path& path, const Interactions& interactions);
/// Writes a table with the header "user<TAB>item" and a row for each interaction, by these names.
void write_interactions_tsv(const std::filesystem::path& path, const Interactions& interactions,
                            const Vocabulary& users, const Vocabulary& items);

}  // namespace tern
