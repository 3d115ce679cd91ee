// tern evaluate: how well a run ranks held-out interactions.

#include <fmt/format.h>

#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "host/cli/commands.hpp"
#include "host/cli/format.hpp"
#include "host/cli/help.hpp"
#include "host/cli/job_report.hpp"
#include "host/cli/other_data.hpp"
#include "host/cli/output.hpp"
#include "host/cli/run_options.hpp"
#include "host/serve/baseline_metrics.hpp"
#include "host/serve/evaluation_task.hpp"
#include "tern/error.hpp"
#include "tern/evaluation.hpp"

namespace tern::cli {
namespace {

using Json = nlohmann::ordered_json;

struct EvaluateOptions {
  RunOptions run;
  std::string split = "test";
  CLI::Option* split_given = nullptr;
  std::string data;  // empty: the split
  std::vector<std::string> sets;
  std::string ks;
  bool json = false;
  bool baselines = false;
  EaseOptions ease;
  CLI::Option* ease_given = nullptr;
  bool cold = false;
};

// The columns of the table: the model's metrics, and those of the baselines.
struct Results {
  Metrics model;
  std::vector<BaselineResult> baselines = {};
};

// What to measure on, with its name for the table and for JSON.
struct HeldOut {
  std::string name;
  Interactions interactions;
  bool is_valid = false;  // the validation split: it must not be masked
  std::optional<OtherData> other = {};
};

HeldOut find_held_out(const EvaluateOptions& options, LoadedRun& loaded, Console& console) {
  const Dataset& data = loaded.data();
  if (!options.data.empty()) {
    OtherData other = read_other_data(options.data, reading_of(options.sets, loaded.run().config()),
                                      data, console);
    Interactions interactions = std::move(other.interactions);
    return {
        .name = options.data, .interactions = std::move(interactions), .other = std::move(other)};
  }
  const bool on_test = options.split == "test";
  return {.name = options.split + " split",
          .interactions = on_test ? data.test : data.valid,
          .is_valid = !on_test};
}

EvaluationTask make_task(const EvaluateOptions& options, LoadedRun& loaded,
                         const HeldOut& held_out) {
  return make_evaluation_task(loaded, held_out.interactions,
                              held_out.is_valid ? MaskValid::kNo : MaskValid::kYes,
                              options.cold ? RankedItems::kCold : RankedItems::kAll);
}

EvaluationOptions lists_of(const EvaluateOptions& options, const LoadedRun& loaded,
                           std::int64_t candidates) {
  Config config = loaded.run().config();
  if (!options.ks.empty()) {
    try {
      set_config(config, "evaluation.ks", options.ks);
    } catch (const ConfigError& error) {
      throw ConfigError(std::string("-k: ") + error.what());
    }
  }
  for (const int k : config.evaluation.ks) {
    check_k(k, candidates, options.cold ? "items without a training interaction" : "items");
  }
  return config.evaluation;
}

[[noreturn]] void fail_empty(const EvaluateOptions& options) {
  const std::string cold = options.cold ? " with items that have none in training" : "";
  if (!options.data.empty()) {
    throw ConfigError(fmt::format("--cold: {} has no interactions{}", options.data, cold));
  }
  throw ConfigError(fmt::format("--split: this run's data has no {} interactions{}",
                                options.split == "test" ? "test" : "validation", cold));
}

Results rank(const EvaluateOptions& options, LoadedRun& loaded, const HeldOut& what,
             Console& console) {
  const EvaluationTask task = make_task(options, loaded, what);
  if (task.held_out.size() == 0) fail_empty(options);
  const EvaluationOptions lists = lists_of(options, loaded, task.held_out.num_items());
  Results results{.model = evaluate_source(loaded, task, lists)};
  if (options.baselines) {
    const std::vector<const Interactions*> observed = task.observed();
    results.baselines =
        measure_baselines({task.train, observed, task.held_out, lists, options.ease,
                           known_baseline(loaded.config(), options.ease, results.model)},
                          log_to(console).line, [&](std::string_view text) { console.live(text); });
  }
  return results;
}

std::string as_table(const EvaluateOptions& options, const LoadedRun& loaded, const HeldOut& what,
                     const Results& results) {
  const Config& config = loaded.run().config();
  std::string out = fmt::format(
      "{}: {}{}\n{}{}, {} users with held-out items; every metric is in 0..1\n",
      loaded.run().path().string(), loaded.model_name(),
      loaded.is_fitted() ? ", fitted without training"
                         : fmt::format(", epoch {} ({})", loaded.epoch(), loaded.checkpoint()),
      what.name, options.cold ? ", only items without a training interaction" : "",
      grouped(static_cast<std::int64_t>(metric(results.model, "users"))));
  const bool on_test = !what.is_valid && !what.other;
  if (on_test && config.select_on == SelectionSplit::kTest && loaded.checkpoint() == "best" &&
      !loaded.is_fitted()) {
    out += "The epoch was selected on this same split: the figures are optimistic.\n";
  }
  // The baseline of this name can have other options.
  const bool is_baseline_too = loaded.is_fitted() && !results.baselines.empty();
  std::vector<std::string> header{
      "", fmt::format("{}{}", is_baseline_too ? "run's " : "", loaded.model_name())};
  std::vector<const Metrics*> columns{&results.model};
  for (const BaselineResult& baseline : results.baselines) {
    if (!baseline.metrics) continue;
    header.push_back(baseline.name);
    columns.push_back(&*baseline.metrics);
  }
  Table table(std::move(header));
  for (const auto& [name, value] : results.model) {
    if (name == "users") continue;
    std::vector<std::string> row{name};
    for (const Metrics* column : columns) {
      row.push_back(fmt::format("{:.4f}", metric(*column, name)));
    }
    table.add(std::move(row));
  }
  return out + "\n" + table.text();
}

Json without_users(const Metrics& metrics) {
  Json object = Json::object();
  for (const auto& [name, value] : metrics) {
    if (name != "users") object[name] = value;
  }
  return object;
}

std::string as_json(const EvaluateOptions& options, const LoadedRun& loaded, const HeldOut& what,
                    const Results& results) {
  const Config& config = loaded.run().config();
  Json object{{"run", loaded.run().path().string()},
              {"model", loaded.model_name()},
              {"checkpoint", loaded.checkpoint()},
              {"epoch", loaded.epoch()},
              {"selected_on", config.select_on == SelectionSplit::kTest ? "test" : "valid"},
              {what.other ? "data" : "split", what.other ? options.data : options.split}};
  if (what.other) {
    object["interactions"] = what.other->read;
    object["unknown_interactions"] = what.other->left_out;
  }
  object["items"] = options.cold ? "cold" : "all";
  object["users"] = static_cast<std::int64_t>(metric(results.model, "users"));
  object["metrics"] = without_users(results.model);
  for (const BaselineResult& baseline : results.baselines) {
    object["baselines"][baseline.name] =
        baseline.metrics ? without_users(*baseline.metrics) : Json(nullptr);
  }
  return object.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

int evaluate_run(const EvaluateOptions& options) {
  if (options.cold && options.baselines) {
    throw ConfigError(
        "expected either --cold or --baselines: the baselines cannot rank items without a training "
        "interaction");
  }
  if (options.split_given->count() > 0 && !options.data.empty()) {
    throw ConfigError("expected either --split or --data");
  }
  if (!options.sets.empty() && options.data.empty()) {
    throw ConfigError("--set is about the reading of --data: expected --data FILE with it");
  }
  if (options.ease_given->count() > 0 && !options.baselines) {
    throw ConfigError("--ease-l2 is about the baseline ease: expected --baselines with it");
  }
  if (!(options.ease.l2 > 0.0) || !std::isfinite(options.ease.l2)) {
    throw ConfigError(
        fmt::format("--ease-l2: found {}, expected a number above 0", options.ease.l2));
  }
  Console console(options.run.console_mode());
  LoadedRun loaded(options.run, console);
  if (options.cold && !loaded.reads_features_of(Side::kItem)) {
    throw ConfigError(
        fmt::format("--cold: the run's model is {}, which reads no features of items, so that "
                    "items without a training interaction have {}; expected a gcmc with item "
                    "features",
                    loaded.model_name(), loaded.is_fitted() ? "no scores" : "random embeddings"));
  }
  const HeldOut what = find_held_out(options, loaded, console);
  const Results results = rank(options, loaded, what, console);
  print(options.json ? as_json(options, loaded, what, results)
                     : as_table(options, loaded, what, results));
  return kDone;
}

}  // namespace

Command add_evaluate(CLI::App& program) {
  const auto options = std::make_shared<EvaluateOptions>();
  CLI::App* app = program.add_subcommand("evaluate", "Measure a run on held-out interactions");
  options->run.add_to(*app);
  options->split_given =
      add_choice(*app, "--split", options->split, {"valid", "test"}, "the held-out split");
  app->add_option("--data", options->data,
                  "measure on the interactions of this file instead, such as a second test set; "
                  "those whose user or item the run does not know are counted and left out")
      ->type_name("FILE");
  app->add_option("--set", options->sets,
                  "how to read --data, e.g. --set data.user_column=who (repeatable) [as the run's "
                  "data]")
      ->type_name("data.KEY=VALUE");
  app->add_option("-k", options->ks, "lengths of the lists, e.g. 10,20 [those of the run]")
      ->type_name("K,...");
  app->add_flag("--json", options->json, "one JSON object instead of a table");
  app->add_flag(
      "--cold", options->cold,
      "rank only items without a training interaction (gcmc places them by their features)");
  app->add_flag("--baselines", options->baselines,
                "also measure rankings without training: popularity, linear_filter (one hop), "
                "graph_filter (GF-CF) and ease; one that needs more memory than is free is left "
                "out (in JSON: null)");
  options->ease_given =
      add_number(*app, "--ease-l2", options->ease.l2, "the penalty of the baseline ease, above 0");
  app->footer(
      "All items are ranked for every user with held-out items, except for the user's items in\n"
      "the training split and, unless the validation split is measured, in the validation split.\n"
      "The baseline ease inverts a matrix of items x items, at most 60,000 x 60,000.");
  return {app, [options] { return evaluate_run(*options); }};
}

}  // namespace tern::cli
