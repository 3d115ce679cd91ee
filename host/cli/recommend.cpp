// tern recommend: the best items for users.

#include <algorithm>
#include <memory>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "host/cli/commands.hpp"
#include "host/cli/help.hpp"
#include "host/cli/ids.hpp"
#include "host/cli/output.hpp"
#include "host/cli/ranking.hpp"
#include "host/cli/run_options.hpp"
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
  bool all = false;
  bool include_observed = false;
  bool mark_held_out = false;
  ListLength k;
  std::string format = "tsv";
  std::string out = "-";
};

void check(const RecommendOptions& options) {
  const int ways = (options.users.empty() ? 0 : 1) + (options.users_file.empty() ? 0 : 1) +
                   (options.all ? 1 : 0);
  if (options.audience) {
    if (options.new_nodes.items.empty()) {
      throw ConfigError("--audience lists users for new items: expected --new-items FILE with it");
    }
    if (ways > 0 || options.mark_held_out || options.include_observed) {
      throw ConfigError(
          "--audience ranks all users: expected no --user, --users, --all, --include-observed or "
          "--mark-held-out with it");
    }
    return;
  }
  // With --new-users alone, the new users are listed.
  if (ways > 1 || (ways == 0 && options.new_nodes.users.empty())) {
    throw ConfigError(
        "no users: expected one of --user ID ..., --users FILE, --all, --new-users FILE, or "
        "--new-items FILE --audience");
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

// Writes the `length` best nodes of the other side for each query, without the observed ones.
void write_lists(LoadedRun& loaded, Side side, const std::vector<NodeId>& queries,
                 const std::vector<const Graph*>& observed, std::int64_t length,
                 const Interactions* marked, RankingWriter& writer) {
  const Dataset& data = loaded.data();
  const bool of_users = side == Side::kUser;
  const Vocabulary& names = of_users ? data.users : data.items;
  const Vocabulary& candidates = of_users ? data.items : data.users;
  TopItems top;
  for (std::size_t begin = 0; begin < queries.size(); begin += kBlock) {
    const auto block = std::span(queries).subspan(begin, std::min(kBlock, queries.size() - begin));
    loaded.backend().score_topk(loaded.embeddings(side),
                                loaded.embeddings(of_users ? Side::kItem : Side::kUser), block,
                                observed, length, top);
    const auto k = static_cast<std::size_t>(top.k);
    for (std::size_t i = 0; i < block.size(); ++i) {
      writer.write(names.name(block[i]), std::span(top.items).subspan(i * k, k),
                   std::span(top.scores).subspan(i * k, k), candidates,
                   marked != nullptr ? marked->row(block[i]) : std::span<const NodeId>());
    }
  }
}

int recommend(const RecommendOptions& options) {
  check(options);
  Console console(options.run.console_mode());
  LoadedRun loaded(options.run, console, options.new_nodes);
  const Dataset& data = loaded.data();
  if (options.audience) {
    const std::int64_t length = options.k.resolve(data.users.size(), "users");
    Output out(options.out);
    RankingWriter writer(out, options.format, {"item", "user", "score"});
    write_lists(loaded, Side::kItem, last_ids(data.items.size(), data.new_items), {}, length,
                nullptr, writer);
    out.finish();
    return kDone;
  }
  const std::vector<NodeId> users = wanted_users(options, data, console);
  const std::int64_t length = options.k.resolve(data.items.size(), "items");

  loaded.expect_queries(static_cast<std::int64_t>(users.size()));
  std::vector<Graph> graphs;
  std::vector<const Graph*> observed;
  if (!options.include_observed) {
    for (const Interactions* split : {&data.train, &data.valid}) {
      graphs.push_back(loaded.backend().make_graph(rows_of(*split, users)));
    }
    observed = {&graphs[0], &graphs[1]};
  }

  Output out(options.out);
  const bool mark = options.mark_held_out;
  RankingWriter writer(out, options.format, {"user", "item", "score", mark ? "held_out" : ""});
  write_lists(loaded, Side::kUser, users, observed, length, mark ? &data.test : nullptr, writer);
  out.finish();
  return kDone;
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
  options->new_nodes.add_to(*app);
  app->add_flag("--audience", options->audience,
                "list the best users for every item of --new-items instead");
  options->k.add_to(*app, "items per user");
  app->add_flag("--include-observed", options->include_observed,
                "also list items of the training and validation splits");
  app->add_flag("--mark-held-out", options->mark_held_out,
                "add a column held_out: yes if the item is in the user's test split");
  add_choice(*app, "--format", options->format, {"tsv", "jsonl"}, "format of the lists");
  app->add_option("-o,--output", options->out, "file to write; - is standard output")
      ->type_name("FILE")
      ->capture_default_str();
  app->footer(
      "TSV: a header, then user, rank (from 1), item, score (the dot product of the embeddings).\n"
      "JSON lines: {\"user\":...,\"items\":[{\"item\":...,\"score\":...},...]}, one object per "
      "user.\n"
      "New items are candidates like all others; new users are listed if no other users are "
      "given.\n"
      "A user with fewer than k candidates gets a shorter list. Ties are ordered as in the run's\n"
      "items.tsv. Unknown users are counted and left out.");
  return {app, [options] { return recommend(*options); }};
}

}  // namespace tern::cli
