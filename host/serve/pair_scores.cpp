#include "host/serve/pair_scores.hpp"

#include <cstddef>

#include "host/serve/cold_nodes.hpp"
#include "host/serve/scores.hpp"

namespace tern {
namespace {

/// The model's score of each pair, as it is printed.
std::vector<float> embedding_scores(RankingSource& source, std::span<const Interaction> pairs) {
  const std::int64_t width = source.width();
  const HostTable users = source.host_table(Side::kUser);
  const HostTable items = source.host_table(Side::kItem);
  std::vector<float> scores;
  scores.reserve(pairs.size());
  for (const auto& [user, item] : pairs) {
    scores.push_back(printed_score(source.score_kind(), row_of(users.values(), width, user),
                                   row_of(items.values(), width, item)));
  }
  return scores;
}

/// The same of a model without embeddings.
std::vector<float> history_scores(RankingSource& source, std::span<const Interaction> pairs) {
  const std::vector<double> scores = score_pairs(source.scorer(), source.data().train, pairs);
  return {scores.begin(), scores.end()};
}

}  // namespace

std::vector<PairScore> pair_scores(RankingSource& source, std::span<const Interaction> pairs,
                                   ColdNodes cold) {
  const std::vector<float> by_model =
      source.is_fitted() ? history_scores(source, pairs) : embedding_scores(source, pairs);
  const std::vector<bool> cold_users = find_cold(source, Side::kUser);
  const std::vector<bool> cold_items = find_cold(source, Side::kItem);
  std::optional<Popularity> popularity;  // made for the first user who needs it
  std::vector<PairScore> scores;
  scores.reserve(pairs.size());
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    const auto& [user, item] = pairs[i];
    if (cold == ColdNodes::kLeaveOut && cold_items[static_cast<std::size_t>(item)]) {
      scores.push_back({{}, "cold"});
    } else if (cold_users[static_cast<std::size_t>(user)]) {
      if (!popularity) popularity.emplace(source.data().train, std::span<const NodeId>());
      scores.push_back({popularity->score(item), "popularity"});
    } else {
      scores.push_back({by_model[i], "model"});
    }
  }
  return scores;
}

}  // namespace tern
