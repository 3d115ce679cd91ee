// tern score: the model's score of given users and items.

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "host/cli/cold_nodes.hpp"
#include "host/cli/commands.hpp"
#include "host/cli/format.hpp"
#include "host/cli/help.hpp"
#include "host/cli/ids.hpp"
#include "host/cli/other_data.hpp"
#include "host/cli/output.hpp"
#include "host/cli/run_options.hpp"
#include "host/serve/pair_scores.hpp"
#include "host/support/message.hpp"
#include "tern/error.hpp"

namespace tern::cli {
namespace {

struct ScoreOptions {
  RunOptions run;
  std::string pairs;
  std::vector<std::string> sets;
  bool cold = false;
  std::string format = "tsv";
  std::string out = "-";
};

/// How many pairs have a score, and why the others have none.
struct Counts {
  std::int64_t unknown = 0;
  std::int64_t cold = 0;
  std::int64_t popularity = 0;

  void add(const PairScore& score) {
    if (score.source == "unknown") ++unknown;
    if (score.source == "cold") ++cold;
    if (score.source == "popularity") ++popularity;
  }
};

/// The run's number of each of these names.
std::vector<std::optional<NodeId>> find_each(const Vocabulary& wanted, const Vocabulary& names) {
  std::vector<std::optional<NodeId>> ids;
  ids.reserve(static_cast<std::size_t>(wanted.size()));
  for (NodeId id = 0; id < wanted.size(); ++id) ids.push_back(find_id(names, wanted.name(id)));
  return ids;
}

std::string line_of(const std::string& user, const std::string& item, const PairScore& score,
                    std::string_view format) {
  const bool json = format == "jsonl";
  const std::string value = score.value ? exact(*score.value) : json ? "null" : "";
  if (!json) return fmt::format("{}\t{}\t{}\t{}\n", user, item, value, score.source);
  return fmt::format("{{\"user\":{},\"item\":{},\"score\":{},\"source\":\"{}\"}}\n",
                     json_string(user), json_string(item), value, score.source);
}

void note_counts(const Counts& counts, std::size_t all, Console& console) {
  const auto note = [&](std::string_view what, std::int64_t count) {
    if (count == 0) return;
    console.line(fmt::format("pairs {}: {} of {}", what, grouped(count),
                             grouped(static_cast<std::int64_t>(all))));
  };
  note("whose user or item is unknown to the run, without a score", counts.unknown);
  note("whose item has no training interactions, without a score unless --cold is given",
       counts.cold);
  note("whose user has no training interactions, scored by popularity", counts.popularity);
}

[[noreturn]] void fail_unknown_pairs(const ScoreOptions& options, const InteractionRows& pairs) {
  throw DataError(
      options.pairs, 0,
      fmt::format("the run knows user and item of none of its {} pairs: found for example user {} "
                  "and item {}",
                  grouped(static_cast<std::int64_t>(pairs.rows.size())),
                  quote(pairs.users.name(pairs.rows[0].user)),
                  quote(pairs.items.name(pairs.rows[0].item))));
}

int score_pairs(const ScoreOptions& options) {
  Console console(options.run.console_mode());
  LoadedRun loaded(options.run, console);
  loaded.expect_queries(1);
  const InteractionRows pairs = read_rows(
      options.pairs, reading_of_rows(options.sets, loaded.run().config()), "--pairs", console);
  const auto users = find_each(pairs.users, loaded.names(Side::kUser));
  const auto items = find_each(pairs.items, loaded.names(Side::kItem));
  std::vector<Interaction> known;  // the pairs of which the run knows user and item
  std::vector<bool> is_known;      // by pair
  for (const Interaction& pair : pairs.rows) {
    const auto user = users[std::size_t(pair.user)];
    const auto item = items[std::size_t(pair.item)];
    is_known.push_back(user && item);
    if (is_known.back()) known.push_back({*user, *item});
  }
  if (known.empty()) fail_unknown_pairs(options, pairs);

  const std::vector<PairScore> scores =
      pair_scores(loaded, known, options.cold ? ColdNodes::kList : ColdNodes::kLeaveOut);
  Output out(options.out);
  if (options.format == "tsv") out.write("user\titem\tscore\tsource\n");
  Counts counts;
  auto next = scores.begin();
  for (std::size_t i = 0; i < pairs.rows.size(); ++i) {
    const Interaction& pair = pairs.rows[i];
    const PairScore score = is_known[i] ? *next++ : PairScore{{}, "unknown"};
    counts.add(score);
    out.write(
        line_of(pairs.users.name(pair.user), pairs.items.name(pair.item), score, options.format));
  }
  out.finish();
  note_counts(counts, pairs.rows.size(), console);
  return kDone;
}

}  // namespace

Command add_score(CLI::App& program) {
  const auto options = std::make_shared<ScoreOptions>();
  CLI::App* app = program.add_subcommand("score", "Score given pairs of a user and an item");
  options->run.add_to(*app);
  app->add_option("--pairs", options->pairs,
                  "file of a user and an item a line, recognised as DATA of tern train is; - is "
                  "standard input")
      ->type_name("FILE")
      ->required();
  app->add_option("--set", options->sets,
                  "how to read --pairs, e.g. --set data.user_column=who (repeatable) [as the run's "
                  "data]")
      ->type_name("data.KEY=VALUE");
  app->add_flag("--cold", options->cold,
                "also score items without training interactions, whose embeddings are random");
  add_choice(*app, "--format", options->format, {"tsv", "jsonl"}, "format of the scores");
  app->add_option("-o,--output", options->out, "file to write; - is standard output")
      ->type_name("FILE")
      ->capture_default_str();
  app->footer(
      "A line for each pair, in the order of the file: user, item, score, source. The score is\n"
      "that of tern recommend. source is model; popularity for users without training\n"
      "interactions, whose score is the item's number of them; unknown or cold if there is no\n"
      "score (empty, null in JSON): the run does not know the user or the item, or the item has\n"
      "no training interactions.");
  return {app, [options] { return score_pairs(*options); }};
}

}  // namespace tern::cli
