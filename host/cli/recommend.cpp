// tern recommend: the best items for users.

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <numeric>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "host/cli/cold_nodes.hpp"
#include "host/cli/commands.hpp"
#include "host/cli/format.hpp"
#include "host/cli/help.hpp"
#include "host/cli/history.hpp"
#include "host/cli/ids.hpp"
#include "host/cli/other_data.hpp"
#include "host/cli/output.hpp"
#include "host/cli/ranking.hpp"
#include "host/cli/run_options.hpp"
#include "host/serve/ranker.hpp"
#include "host/serve/user_lists.hpp"
#include "tern/error.hpp"

namespace tern::cli {
namespace {

// Users ranked at a time: enough to keep all cores busy, few enough to write while ranking.
constexpr std::size_t kBlock = 4096;

struct RecommendOptions {
  RunOptions run;
  NewNodeOptions new_nodes;
  bool audience = false;
  std::vector<std::string> users;
  std::string users_file;
  std::string history;  // a file of new users' interactions
  std::vector<std::string> sets;
  std::string candidates;  // a file; empty: all items
  bool all = false;
  bool include_observed = false;
  bool mark_held_out = false;
  bool cold = false;
  ListLength k;
  std::string format = "tsv";
  std::string out = "-";
};

bool has_new_nodes(const RecommendOptions& options) {
  return !options.new_nodes.users.empty() || !options.new_nodes.items.empty();
}

void check(const RecommendOptions& options) {
  const int ways = (options.users.empty() ? 0 : 1) + (options.users_file.empty() ? 0 : 1) +
                   (options.all ? 1 : 0) + (options.history.empty() ? 0 : 1);
  if (options.audience) {
    if (options.new_nodes.items.empty()) {
      throw ConfigError("--audience lists users for new items: expected --new-items FILE with it");
    }
    if (ways > 0 || options.mark_held_out || options.include_observed ||
        !options.candidates.empty()) {
      throw ConfigError(
          "--audience ranks all users: expected no --user, --users, --all, --history, "
          "--candidates, --include-observed or --mark-held-out with it");
    }
    return;
  }
  if (options.candidates == "-" && (options.users_file == "-" || options.history == "-")) {
    throw ConfigError("--users, --history and --candidates: only one can be standard input");
  }
  if (!options.history.empty() && (options.mark_held_out || has_new_nodes(options))) {
    throw ConfigError(
        "--history is about users of its own: expected no --mark-held-out, --new-users or "
        "--new-items with it");
  }
  if (!options.sets.empty() && options.history.empty()) {
    throw ConfigError("--set is about the reading of --history: expected --history FILE with it");
  }
  if (ways > 1) {
    throw ConfigError(
        "users were asked for in several ways: expected one of --user ID ..., --users FILE, --all "
        "or "
        "--history FILE");
  }
  // With --new-users alone, the new users are listed.
  if (ways == 0 && options.new_nodes.users.empty()) {
    throw ConfigError(
        "no users: expected one of --user ID ..., --users FILE, --all, --history FILE, --new-users "
        "FILE, or --new-items FILE --audience");
  }
}

/// The last `count` of `size` ids.
std::vector<NodeId> last_ids(NodeId size, NodeId count) {
  std::vector<NodeId> ids(static_cast<std::size_t>(count));
  std::iota(ids.begin(), ids.end(), size - count);
  return ids;
}

std::vector<NodeId> wanted_users(const RecommendOptions& options, const Dataset& data,
                                 Console& console) {
  const Vocabulary& names = data.users;
  if (!options.users_file.empty()) return read_ids(options.users_file, names, "user", console);
  if (options.all) return last_ids(names.size(), names.size());
  if (options.users.empty()) return last_ids(names.size(), data.new_users);
  return find_ids(options.users, names, "--user", "user", console);
}

// The interactions of these users alone: a graph of them is quickly made for few users.
Interactions rows_of(const Interactions& all, const std::vector<NodeId>& users) {
  std::vector<bool> wanted(static_cast<std::size_t>(all.num_users()), false);
  for (const NodeId user : users) wanted[static_cast<std::size_t>(user)] = true;
  std::vector<EdgeOffset> offsets{0};
  std::vector<NodeId> items;
  offsets.reserve(wanted.size() + 1);
  for (NodeId user = 0; user < all.num_users(); ++user) {
    if (wanted[static_cast<std::size_t>(user)]) {
      items.insert(items.end(), all.row(user).begin(), all.row(user).end());
    }
    offsets.push_back(static_cast<EdgeOffset>(items.size()));
  }
  return {all.num_users(), all.num_items(), std::move(offsets), std::move(items)};
}

/// The nodes of one side that may be listed, ascending. Throws DataError if there are none.
std::vector<NodeId> candidates_of(const RecommendOptions& options, LoadedRun& loaded, Side side,
                                  Console& console) {
  const NodeId size = loaded.names(side).size();
  std::vector<NodeId> ids = last_ids(size, size);
  if (!options.candidates.empty()) {
    ids = read_ids(options.candidates, loaded.names(side), "item", console);
    std::sort(ids.begin(), ids.end());
    ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  }
  if (options.cold) return ids;
  ids =
      without_cold(ids, find_cold(loaded, side), side == Side::kUser ? "users" : "items", console);
  if (ids.empty()) {
    throw DataError(options.candidates, 0,
                    "none of the items has training interactions; --cold ranks them all the same");
  }
  return ids;
}

/// Calls use(block) for the queries in turn, a block at a time.
template <typename Use>
void for_each_block(const std::vector<NodeId>& queries, const Use& use) {
  for (std::size_t begin = 0; begin < queries.size(); begin += kBlock) {
    use(std::span(queries).subspan(begin, std::min(kBlock, queries.size() - begin)));
  }
}

int list_audience(const RecommendOptions& options, LoadedRun& loaded, Console& console) {
  const Dataset& data = loaded.data();
  const std::int64_t length = options.k.resolve(data.users.size(), "users");
  const HostTable rows = loaded.host_table(Side::kItem);
  const EmbeddingRanker ranker(loaded, Side::kUser,
                               {&loaded.embeddings(Side::kItem), rows.values()},
                               candidates_of(options, loaded, Side::kUser, console), length);
  Output out(options.out);
  RankingWriter writer(out, options.format, {"item", "user", "score"});
  for_each_block(last_ids(data.items.size(), data.new_items), [&](std::span<const NodeId> block) {
    const std::vector<RankedList> lists = ranker.rank(block);
    for (std::size_t i = 0; i < block.size(); ++i) {
      writer.write(data.items.name(block[i]), lists[i], data.users, {});
    }
  });
  out.finish();
  return kDone;
}

/// Writes the lists of these users of a table, without their items in `observed`.
void write_lists(const RecommendOptions& options, LoadedRun& loaded, const UserTable& table,
                 const std::vector<NodeId>& users, const std::vector<Interactions>& observed,
                 Console& console) {
  const Vocabulary& items = loaded.names(Side::kItem);
  const std::int64_t length = options.k.resolve(items.size(), "items");
  UserLists lists(loaded, table, users, candidates_of(options, loaded, Side::kItem, console),
                  length);
  for (const Interactions& rows : observed) lists.leave_out(rows);
  if (lists.num_cold() > 0) {
    console.line(fmt::format("users without training interactions, ranked by popularity: {} of {}",
                             grouped(lists.num_cold()),
                             grouped(static_cast<std::int64_t>(users.size()))));
  }
  Output out(options.out);
  const bool mark = options.mark_held_out;
  RankingWriter writer(out, options.format,
                       {"user", "item", "score", mark ? "held_out" : "", "source"});
  for_each_block(users, [&](std::span<const NodeId> block) {
    const std::vector<RankedList> of_block = lists.rank(block);
    for (std::size_t i = 0; i < block.size(); ++i) {
      RankingWriter::Remarks remarks{.source = lists.source(block[i])};
      if (mark) remarks.marked = loaded.data().test.row(block[i]);
      writer.write(table.names->name(block[i]), of_block[i], items, remarks);
    }
  });
  out.finish();
}

int list_items(const RecommendOptions& options, LoadedRun& loaded, Console& console) {
  const Dataset& data = loaded.data();
  const std::vector<NodeId> users = wanted_users(options, data, console);
  loaded.expect_queries(static_cast<std::int64_t>(users.size()));
  std::vector<Interactions> observed;
  if (!options.include_observed) {
    observed = {rows_of(data.train, users), rows_of(data.valid, users)};
  }
  UserTable table{.names = &data.users, .cold = find_cold(loaded, Side::kUser), .source = "model"};
  std::optional<HostTable> rows;
  if (loaded.is_fitted()) {
    table.histories = &data.train;
  } else {
    rows = loaded.host_table(Side::kUser);
    table.embeddings = {&loaded.embeddings(Side::kUser), rows->values()};
  }
  write_lists(options, loaded, table, users, observed, console);
  return kDone;
}

int list_for_history(const RecommendOptions& options, LoadedRun& loaded, Console& console) {
  loaded.expect_queries(1);
  const NewUsers found = read_history(
      options.history, reading_of_rows(options.sets, loaded.run().config()), loaded, console);
  UserTable table{.names = &found.names, .cold = found.cold, .source = "history"};
  Matrix matrix;
  if (loaded.is_fitted()) {
    table.histories = &found.history;
  } else {
    matrix = loaded.backend().allocate(found.names.size(), loaded.width());
    loaded.backend().upload(std::span<const float>(found.rows), matrix);
    table.embeddings = {&matrix, found.rows};
  }
  std::vector<Interactions> observed;
  if (!options.include_observed) observed = {found.observed};
  write_lists(options, loaded, table, last_ids(found.names.size(), found.names.size()), observed,
              console);
  return kDone;
}

int recommend(const RecommendOptions& options) {
  check(options);
  Console console(options.run.console_mode());
  LoadedRun loaded(options.run, console, options.new_nodes);
  if (options.audience) return list_audience(options, loaded, console);
  if (!options.history.empty()) return list_for_history(options, loaded, console);
  return list_items(options, loaded, console);
}

}  // namespace

Command add_recommend(CLI::App& program) {
  const auto options = std::make_shared<RecommendOptions>();
  CLI::App* app = program.add_subcommand("recommend", "List the best items for users");
  options->run.add_to(*app);
  app->add_option("--user", options->users, "users by id (repeatable)")->type_name("ID ...");
  app->add_option("--users", options->users_file,
                  "file with one user id per line; - is standard input")
      ->type_name("FILE");
  app->add_flag("--all", options->all, "every user");
  app->add_option(
         "--history", options->history,
         "users that training has not seen: file of a user and an item a line, recognised "
         "as DATA of tern train is; lightgcn computes their embeddings by one propagation, ease "
         "and graph_filter score by these items")
      ->type_name("FILE");
  app->add_option("--set", options->sets,
                  "how to read --history, e.g. --set data.user_column=who (repeatable) [as the "
                  "run's data]")
      ->type_name("data.KEY=VALUE");
  options->new_nodes.add_to(*app);
  app->add_flag("--audience", options->audience,
                "list the best users for every item of --new-items instead");
  app->add_option("--candidates", options->candidates,
                  "rank only the items of this file, one id per line; - is standard input")
      ->type_name("FILE");
  options->k.add_to(*app, "items per user");
  app->add_flag("--include-observed", options->include_observed,
                "also list items of the training and validation splits");
  app->add_flag("--mark-held-out", options->mark_held_out,
                "add a column held_out: yes if the item is in the user's test split");
  app->add_flag("--cold", options->cold,
                "also list items without training interactions, whose embeddings are random");
  add_choice(*app, "--format", options->format, {"tsv", "jsonl"}, "format of the lists");
  app->add_option("-o,--output", options->out, "file to write; - is standard output")
      ->type_name("FILE")
      ->capture_default_str();
  app->footer(
      "TSV: a header, then user, rank (from 1), item, score (the dot product of the embeddings,\n"
      "the cosine in a run with evaluation.score = cosine, the sum over the user's items in a run\n"
      "of ease or graph_filter) and source.\n"
      "JSON lines, one per user:\n"
      "{\"user\":...,\"source\":...,\"items\":[{\"item\":...,\"score\":...},...]}\n"
      "source is model; history for users of --history; or popularity for users without training\n"
      "interactions, whose scores are the items' numbers of them. (Nodes whose features gcmc "
      "reads\n"
      "need no interactions.)\n"
      "New items are candidates like all others; new users are listed if no other users are "
      "given.\n"
      "A user with fewer than k candidates gets a shorter list. Unknown users are counted and "
      "left\n"
      "out. Ties are ordered as in the run's items.tsv.");
  return {app, [options] { return recommend(*options); }};
}

}  // namespace tern::cli
