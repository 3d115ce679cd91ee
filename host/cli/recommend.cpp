// tern recommend: the best items for users.

#include <algorithm>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "host/cli/commands.hpp"
#include "host/cli/exit_code.hpp"
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
      throw ConfigError("--audience lists users for new items: expected --new-items FILE");
    }
    if (ways > 0 || options.mark_held_out || options.include_observed) {
      throw ConfigError(
          "--audience ranks all users: expected no --user, --users, --all, --include-observed or "
          "--mark-held-out with it");
    }
    return;
  }
  // New users alone are wanted where nobody else is named.
  if (ways > 1 || (ways == 0 && options.new_nodes.users.empty())) {
    throw ConfigError(
        "recommend for whom? expected one of --user ID ..., --users FILE, --all, --new-users FILE, "
        "or --new-items FILE --audience");
  }
}

/// The last `count` of `size` ids.
std::vector<NodeId> last_ids(NodeId size, NodeId count) {
  std::vector<NodeId> ids(static_cast<std::size_t>(count));
  std::iota(ids.begin(), ids.end(), size - count);
  return ids;
}

std::vector<NodeId> wanted_users(const RecommendOptions& options, const Dataset& data) {
  const Vocabulary& names = data.users;
  if (!options.users_file.empty()) return read_ids(options.users_file, names, "user");
  if (options.all) return last_ids(names.size(), names.size());
  if (options.users.empty()) return last_ids(names.size(), data.new_users);
  std::vector<NodeId> ids;
  for (const std::string& name : options.users) ids.push_back(find_id(names, name, "user"));
  return ids;
}

// The best users of every new item.
void list_audience(const RecommendOptions& options, LoadedRun& loaded, RankingWriter& writer) {
  const Dataset& data = loaded.data();
  const std::int64_t length = options.k.resolve(data.users.size(), "users");
  const std::vector<NodeId> items = last_ids(data.items.size(), data.new_items);
  TopItems top;
  for (std::size_t begin = 0; begin < items.size(); begin += kBlock) {
    const auto block = std::span(items).subspan(begin, std::min(kBlock, items.size() - begin));
    loaded.backend().score_topk(loaded.embeddings(Side::kItem), loaded.embeddings(Side::kUser),
                                block, {}, length, top);
    const auto k = static_cast<std::size_t>(top.k);
    for (std::size_t i = 0; i < block.size(); ++i) {
      writer.write(data.items.name(block[i]), std::span(top.items).subspan(i * k, k),
                   std::span(top.scores).subspan(i * k, k), data.users);
    }
  }
}

int recommend(const RecommendOptions& options) {
  check(options);
  Console console(options.run.console_mode());
  LoadedRun loaded(options.run, console, options.new_nodes);
  if (options.audience) {
    Output out(options.out);
    RankingWriter writer(out, options.format, {"item", "user", "score"});
    list_audience(options, loaded, writer);
    out.finish();
    return kDone;
  }
  const Dataset& data = loaded.data();
  const std::vector<NodeId> users = wanted_users(options, data);
  const std::int64_t length = options.k.resolve(data.items.size(), "items");

  const Graph valid = loaded.backend().make_graph(data.valid);
  std::vector<const Graph*> observed;
  if (!options.include_observed) observed = {&loaded.train_graph(), &valid};

  Output out(options.out);
  const bool mark = options.mark_held_out;
  RankingWriter writer(out, options.format, {"user", "item", "score", mark ? "held_out" : ""});
  TopItems top;
  for (std::size_t begin = 0; begin < users.size(); begin += kBlock) {
    const auto block = std::span(users).subspan(begin, std::min(kBlock, users.size() - begin));
    loaded.backend().score_topk(loaded.embeddings(Side::kUser), loaded.embeddings(Side::kItem),
                                block, observed, length, top);
    const auto k = static_cast<std::size_t>(top.k);
    for (std::size_t i = 0; i < block.size(); ++i) {
      writer.write(data.users.name(block[i]), std::span(top.items).subspan(i * k, k),
                   std::span(top.scores).subspan(i * k, k), data.items,
                   mark ? data.test.row(block[i]) : std::span<const NodeId>());
    }
  }
  out.finish();
  return kDone;
}

}  // namespace

Command add_recommend(CLI::App& program) {
  const auto options = std::make_shared<RecommendOptions>();
  CLI::App* app = program.add_subcommand("recommend", "List the best items for users");
  options->run.add_to(*app);
  app->add_option("--user", options->users, "users by id (repeatable)")->type_name("ID ...");
  app->add_option("--users", options->users_file, "users by id, one a line; - is standard input")
      ->type_name("FILE");
  app->add_flag("--all", options->all, "every user");
  options->new_nodes.add_to(*app);
  app->add_flag("--audience", options->audience,
                "the other way round: the best users of every item of --new-items");
  options->k.add_to(*app, "items a user");
  app->add_flag("--include-observed", options->include_observed,
                "also list items of the training and validation splits");
  app->add_flag("--mark-held-out", options->mark_held_out,
                "one more column, held_out: yes where the item is in the user's test split");
  add_choice(*app, "--format", options->format, {"tsv", "jsonl"}, "what is written");
  app->add_option("-o,--output", options->out, "file to write; - is standard output")
      ->type_name("FILE")
      ->capture_default_str();
  app->footer(
      "TSV: a header, then user, rank (from 1), item, score (the dot product of the embeddings).\n"
      "JSON lines: {\"user\":...,\"items\":[{\"item\":...,\"score\":...},...]}, an object a user.\n"
      "New items are candidates like the others; new users are listed where no user is named.\n"
      "A user with fewer than k candidates gets a shorter list. Ties go by the order of the items\n"
      "in the run's items.tsv.");
  return {app, [options] { return recommend(*options); }};
}

}  // namespace tern::cli
