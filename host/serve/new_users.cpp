#include "host/serve/new_users.hpp"

#include <fmt/format.h>

#include <cstddef>
#include <utility>

#include "host/serve/cold_nodes.hpp"
#include "host/train/fold_in.hpp"
#include "tern/error.hpp"
#include "tern/model.hpp"

namespace tern {
namespace {

/// Without the items of which the model knows nothing.
Interactions informative(const Interactions& observed, const std::vector<bool>& cold) {
  std::vector<Interaction> pairs;
  for (NodeId user = 0; user < observed.num_users(); ++user) {
    for (const NodeId item : observed.row(user)) {
      if (!cold[static_cast<std::size_t>(item)]) pairs.push_back({user, item});
    }
  }
  return Interactions::from_pairs(observed.num_users(), observed.num_items(), pairs);
}

}  // namespace

void expect_places_users(RankingSource& source, std::string_view option) {
  const ModelOptions& model = source.config().model;
  if (source.is_fitted() || can_fold_in(model)) return;
  throw ConfigError(fmt::format(
      "{}: the run's model is {}, expected a lightgcn with at least one layer, which places "
      "new users by one propagation of their items, or a run of ease or graph_filter{}",
      option, model_name(model.kind),
      model.kind == ModelKind::kGcMc
          ? "; gcmc places them by their features: tern recommend --new-users"
          : ""));
}

NewUsers place_users(RankingSource& source, Vocabulary names, std::span<const Interaction> rows) {
  NewUsers users;
  users.names = std::move(names);
  users.observed =
      Interactions::from_pairs(users.names.size(), source.names(Side::kItem).size(), rows);
  users.history = informative(users.observed, find_cold(source, Side::kItem));
  for (NodeId user = 0; user < users.history.num_users(); ++user) {
    users.cold.push_back(users.history.row(user).empty());
  }
  if (source.is_fitted()) return users;
  users.rows = fold_in(source.backend(), source.train_graph(), source.data().train,
                       source.config().model, source.parameters(), users.history);
  return users;
}

}  // namespace tern
