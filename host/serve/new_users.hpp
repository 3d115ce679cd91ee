#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "host/serve/ranking_source.hpp"
#include "tern/interactions.hpp"
#include "tern/types.hpp"
#include "tern/vocabulary.hpp"

namespace tern {

/// Users that training has not seen, by the items that they have interacted with.
struct NewUsers {
  Vocabulary names;
  Interactions observed;    // (names, items of the model)
  Interactions history;     // the same without items of which the model knows nothing
  std::vector<float> rows;  // final embeddings, (names, D); empty for a fitted model
  std::vector<bool> cold;   // users with no item of which the model knows anything
};

/// Throws ConfigError unless the model can place new users. option, "--history", is for the message.
void expect_places_users(RankingSource& source, std::string_view option);

/// Places these users by their interactions, rows of (names, items of the model): fold_in() for a model with embeddings.
/// Throws as it and RankingSource::parameters() do.
NewUsers place_users(RankingSource& source, Vocabulary names, std::span<const Interaction> rows);

}  // namespace tern
