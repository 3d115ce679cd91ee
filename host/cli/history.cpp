#include "host/cli/history.hpp"

#include <fmt/format.h>

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include "host/cli/cold_nodes.hpp"
#include "host/cli/format.hpp"
#include "host/cli/ids.hpp"
#include "host/cli/other_data.hpp"
#include "host/support/message.hpp"
#include "host/train/fold_in.hpp"
#include "tern/error.hpp"
#include "tern/tensor_file.hpp"

namespace tern::cli {
namespace {

void check_model(const LoadedRun& loaded) {
  if (loaded.is_fitted() || can_fold_in(loaded.run().config().model)) return;
  const bool is_gcmc = loaded.run().config().model.kind == ModelKind::kGcMc;
  throw ConfigError(fmt::format(
      "--history: the run's model is {}, expected a lightgcn with at least one layer, which places "
      "new users by one propagation of their items, or a run of ease or graph_filter{}",
      loaded.model_name(), is_gcmc ? "; gcmc places them by their features: --new-users" : ""));
}

/// The rows of the file that count, and how many do not.
struct KnownRows {
  std::vector<Interaction> rows;  // users as in names, items as in the run
  Vocabulary names;
  std::int64_t known_users = 0;
  std::string a_known_user;
  std::int64_t unknown_items = 0;
  std::string an_unknown_item;
};

KnownRows select_rows(const InteractionRows& file, LoadedRun& loaded) {
  KnownRows known;
  for (const Interaction& row : file.rows) {
    const std::string user = file.users.name(row.user);
    if (find_id(loaded.names(Side::kUser), user)) {
      if (known.known_users++ == 0) known.a_known_user = user;
      continue;
    }
    const NodeId new_user = known.names.add(user);  // also one of whom no item is known
    const std::string item = file.items.name(row.item);
    const std::optional<NodeId> id = find_id(loaded.names(Side::kItem), item);
    if (!id) {
      if (known.unknown_items++ == 0) known.an_unknown_item = item;
      continue;
    }
    known.rows.push_back({new_user, *id});
  }
  return known;
}

void note_left_out(const std::string& file, const KnownRows& known, std::size_t all,
                   Console& console) {
  const std::string of = grouped(static_cast<std::int64_t>(all));
  if (known.known_users > 0) {
    console.line(
        fmt::format("{}: rows of users that the run knows, left out (--user lists for them): "
                    "{} of {}, for example {}",
                    file, grouped(known.known_users), of, quote(known.a_known_user)));
  }
  if (known.unknown_items > 0) {
    console.line(
        fmt::format("{}: rows with items that are unknown to the run, left out: {} of {}, "
                    "for example {}",
                    file, grouped(known.unknown_items), of, quote(known.an_unknown_item)));
  }
  if (known.rows.empty()) {
    throw DataError(file, 0,
                    fmt::format("none of its {} rows has a new user and a known item", of));
  }
}

/// The parameters that the layers are computed from.
TensorFile read_parameters(LoadedRun& loaded) {
  try {
    return loaded.run().read_checkpoint(loaded.checkpoint());
  } catch (const DataError& error) {
    throw DataError(
        loaded.run().path().string(), 0,
        fmt::format(
            "--history needs a checkpoint of the run, which it computes the layers from: {}",
            error.what()));
  }
}

/// Without the items of which the run knows nothing.
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

HistoryUsers read_history(const std::string& file, const DataOptions& options, LoadedRun& loaded,
                          Console& console) {
  check_model(loaded);
  const InteractionRows rows = read_rows(file, options, "--history", console);
  KnownRows known = select_rows(rows, loaded);
  note_left_out(file, known, rows.rows.size(), console);

  HistoryUsers users;
  users.names = std::move(known.names);
  users.observed =
      Interactions::from_pairs(users.names.size(), loaded.names(Side::kItem).size(), known.rows);
  users.history = informative(users.observed, find_cold(loaded, Side::kItem));
  for (NodeId user = 0; user < users.history.num_users(); ++user) {
    users.cold.push_back(users.history.row(user).empty());
  }
  if (loaded.is_fitted()) return users;
  users.rows = fold_in(loaded.backend(), loaded.train_graph(), loaded.data().train,
                       loaded.run().config().model, read_parameters(loaded), users.history);
  return users;
}

}  // namespace tern::cli
