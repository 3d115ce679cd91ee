// tern similar: nearest neighbours among items, or among users.

#include <fmt/format.h>

#include <memory>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "host/cli/cold_nodes.hpp"
#include "host/cli/commands.hpp"
#include "host/cli/help.hpp"
#include "host/cli/ids.hpp"
#include "host/cli/output.hpp"
#include "host/cli/ranking.hpp"
#include "host/cli/run_options.hpp"
#include "host/serve/neighbours.hpp"
#include "host/support/message.hpp"
#include "tern/error.hpp"

namespace tern::cli {
namespace {

struct SimilarOptions {
  RunOptions run;
  NewNodeOptions new_nodes;
  std::vector<std::string> items;
  std::vector<std::string> users;
  ListLength k;
  bool cold = false;
  std::string format = "tsv";
};

void expect_neighbours(const LoadedRun& loaded, Side side) {
  if (!loaded.is_fitted() || side == Side::kItem) return;
  throw ConfigError(fmt::format(
      "--user: the run's model is {}, which has no embeddings of users, expected --item "
      "ID ...",
      loaded.model_name()));
}

int similar(const SimilarOptions& options) {
  if (options.items.empty() == options.users.empty()) {
    throw ConfigError("expected either --item ID ... or --user ID ...");
  }
  const bool of_items = options.users.empty();
  const std::string kind = of_items ? "item" : "user";
  Console console(options.run.console_mode());
  LoadedRun loaded(options.run, console, options.new_nodes);
  const Side side = of_items ? Side::kItem : Side::kUser;
  expect_neighbours(loaded, side);
  const Vocabulary& names = loaded.names(side);
  std::vector<NodeId> queries =
      find_ids(of_items ? options.items : options.users, names, "--" + kind, kind, console);
  const std::int64_t length = options.k.resolve(names.size() - 1, "other " + kind + "s");
  std::vector<NodeId> candidates(static_cast<std::size_t>(names.size()));
  std::iota(candidates.begin(), candidates.end(), NodeId{0});
  if (!options.cold) {
    const std::vector<bool> cold = find_cold(loaded, side);
    const NodeId first = queries.front();
    queries = without_cold(queries, cold, fmt::format("--{0}: {0}s", kind), console);
    if (queries.empty()) {
      throw DataError("--" + kind, 0,
                      fmt::format("{} has no training interactions, so that its embedding is "
                                  "random; --cold lists its neighbours all the same",
                                  quote(names.name(first))));
    }
    candidates = without_cold(candidates, cold, kind + "s", console);
  }
  const bool by_cosine = !loaded.is_fitted();
  const std::vector<RankedList> lists =
      rank_neighbours(loaded, side, queries, std::move(candidates), length);
  Output out;
  RankingWriter writer(out, options.format, {kind, "neighbour", by_cosine ? "cosine" : "score"});
  for (std::size_t i = 0; i < queries.size(); ++i) {
    writer.write(names.name(queries[i]), lists[i], names, {});
  }
  out.finish();
  return kDone;
}

}  // namespace

Command add_similar(CLI::App& program) {
  const auto options = std::make_shared<SimilarOptions>();
  CLI::App* app = program.add_subcommand("similar", "List the nearest items, or users, by cosine");
  options->run.add_to(*app);
  app->add_option("--item", options->items, "items by id (repeatable)")->type_name("ID ...");
  app->add_option("--user", options->users, "users by id (repeatable)")->type_name("ID ...");
  options->new_nodes.add_to(*app);
  options->k.add_to(*app, "neighbours to list");
  app->add_flag("--cold", options->cold,
                "also list nodes without training interactions, whose embeddings are random");
  add_choice(*app, "--format", options->format, {"tsv", "jsonl"}, "format of the lists");
  app->footer(
      "Cosine of the final embeddings, from -1 to 1; 0 if an embedding has norm 0. In a run of\n"
      "ease or graph_filter: the score of the neighbour for a user who has the item alone.");
  return {app, [options] { return similar(*options); }};
}

}  // namespace tern::cli
