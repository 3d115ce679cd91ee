// tern inspect: the contents of a data set and of its splits.

#include "tern/inspect.hpp"

#include <fmt/format.h>

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "host/backend/device.hpp"
#include "host/cli/commands.hpp"
#include "host/cli/config_options.hpp"
#include "host/cli/format.hpp"
#include "host/cli/output.hpp"
#include "host/cli/ranks.hpp"
#include "host/config/batch.hpp"
#include "host/config/recipes.hpp"
#include "host/support/parallel.hpp"
#include "tern/dataset.hpp"
#include "tern/error.hpp"
#include "tern/memory.hpp"

namespace tern::cli {
namespace {

using Json = nlohmann::ordered_json;

struct InspectOptions {
  ConfigOptions config;
  bool memory = false;
  int ranks = 1;
  bool json = false;
};

/// The memory that training on the data needs, and the free memory.
struct MemoryReport {
  MemoryEstimate estimate;
  MemoryInfo host;
  std::optional<MemoryInfo> device;  // a GPU's
  std::string on;
  std::string shortage;  // empty: none
};

// The need on a GPU can be estimated even if this machine has none.
MemoryReport measure(const Dataset& data, const Config& config, int ranks) {
  MemoryReport report;
  std::unique_ptr<Backend> backend;
  MemoryTarget target;
  try {
    backend = make_program_backend(config.device, config.threads, nullptr, config.reproducibility);
    target = memory_target(*backend);
    report.on = backend->name();
  } catch (const MemoryError&) {
    throw;
  } catch (const DeviceError&) {
    target.kind = MemoryTarget::Kind::kCuda;
    report.on = config.device + " (not available)";
  }
  target.ranks = ranks;
  report.estimate = estimate_memory(target, data, config);
  report.host = host_memory();
  if (backend == nullptr) return report;
  if (target.kind == MemoryTarget::Kind::kCuda) report.device = backend->memory();
  report.shortage = memory_shortage(report.estimate, *backend);
  return report;
}

Json json_of(const MemoryReport& report) {
  Json parts = Json::array();
  for (const MemoryPart& part : report.estimate.parts) {
    parts.push_back(
        {{"name", part.name}, {"host", part.host}, {"device", part.device}, {"keys", part.keys}});
  }
  return {{"device", report.on},
          {"parts", parts},
          {"host", report.estimate.host()},
          {"host_to_come", report.estimate.host_to_come()},
          {"host_free", report.host.free},
          {"on_device", report.estimate.device()},
          {"device_free", report.device ? Json(report.device->free) : Json(nullptr)},
          {"shortage", report.shortage}};
}

std::string megabytes(std::int64_t bytes) {
  constexpr double kMega = 1e6;
  return fmt::format("{:.1f}", static_cast<double>(bytes) / kMega);
}

std::string memory_text(const MemoryReport& report, const Config& config, int ranks) {
  Table table({"MB", "smaller with", "host", "device"}, 2);
  const auto row = [&](const std::string& name, const std::string& keys, std::int64_t host,
                       std::int64_t device) {
    table.add({name, keys, megabytes(host), megabytes(device)});
  };
  for (const MemoryPart& part : report.estimate.parts) {
    row(part.name, part.keys, part.host, part.device);
  }
  row("all", "", report.estimate.host(), report.estimate.device());
  row("free", "", report.host.free, report.device ? report.device->free : 0);
  const std::string negatives =
      contrasts_samples(config.loss)
          ? fmt::format(" pairs with {} negatives each", config.sampling.negatives_per_positive)
          : "";
  const std::string work =
      is_fitted(config.model.kind)
          ? fmt::format("fitting {}", model_name(config.model.kind))
          : fmt::format("training {}, D {}, B {}{}, on {}", model_name(config.model.kind),
                        config.model.width, config.batch_size, negatives, report.on);
  return fmt::format("\n{}{} needs about\n{}{}", work,
                     ranks == 1 ? "" : fmt::format(", each of {} ranks,", ranks), table.text(),
                     report.shortage.empty() ? "" : "not enough memory: " + report.shortage + "\n");
}

Json json_of(const SideSummary& side) {
  return {{"nodes", side.nodes},
          {"empty", side.empty},
          {"degree",
           {{"min", side.degrees.min},
            {"median", side.degrees.median},
            {"p90", side.degrees.p90},
            {"max", side.degrees.max},
            {"mean", side.degrees.mean}}}};
}

Json json_of(const InteractionsSummary& split) {
  return {{"interactions", split.interactions},
          {"density", split.density},
          {"users_with_every_item", split.users_with_every_item},
          {"users", json_of(split.users)},
          {"items", json_of(split.items)}};
}

Json json_of(const HeldOutSummary& held_out) {
  return {{"users", held_out.users},
          {"users_without_training", held_out.users_without_training},
          {"items_without_training", held_out.items_without_training},
          {"also_in_training", held_out.also_in_training}};
}

Json json_of(const std::optional<std::int64_t>& width) {
  return width ? Json(*width) : Json(nullptr);
}

std::string as_json(const std::string& path, const Dataset& data, const DatasetSummary& summary,
                    const std::optional<MemoryReport>& memory) {
  Json object{
      {"data", path},
      {"fingerprint", fmt::format("{:016x}", data.fingerprint)},
      {"all", json_of(summary.all)},
      {"train", json_of(summary.train)},
      {"valid", json_of(summary.valid)},
      {"test", json_of(summary.test)},
      {"held_out",
       {{"valid", json_of(summary.held_out_valid)}, {"test", json_of(summary.held_out_test)}}},
      {"duplicates", summary.duplicates},
      {"user_feature_width", json_of(summary.user_feature_width)},
      {"item_feature_width", json_of(summary.item_feature_width)},
      {"notes", data.notes}};
  if (memory) object["memory"] = json_of(*memory);
  return object.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

using Splits = std::vector<std::pair<std::string, const InteractionsSummary*>>;

// The table of one side, with one column per split.
std::string side_table(const std::string& title, const Splits& splits,
                       const SideSummary InteractionsSummary::*side) {
  std::vector<std::string> header{title};
  for (const auto& [name, split] : splits) header.push_back(name);
  Table table(std::move(header));
  const auto row = [&](const std::string& name,
                       const std::function<std::string(const SideSummary&)>& cell) {
    std::vector<std::string> cells{name};
    for (const auto& [ignored, split] : splits) cells.push_back(cell(split->*side));
    table.add(std::move(cells));
  };
  row("count", [](const SideSummary& s) { return grouped(s.nodes); });
  row("without interactions", [](const SideSummary& s) { return grouped(s.empty); });
  row("least degree", [](const SideSummary& s) { return grouped(s.degrees.min); });
  row("median degree", [](const SideSummary& s) { return grouped(s.degrees.median); });
  row("90% have at most", [](const SideSummary& s) { return grouped(s.degrees.p90); });
  row("largest degree", [](const SideSummary& s) { return grouped(s.degrees.max); });
  row("mean degree", [](const SideSummary& s) { return brief(s.degrees.mean); });
  return table.text();
}

std::string held_out_text(const std::string& split, const HeldOutSummary& held_out) {
  if (held_out.users == 0) return fmt::format("{}: no held-out interactions\n", split);
  return fmt::format(
      "{}: {} users with held-out items, {} of them without training interactions;\n"
      "      {} held-out items without training interactions, {} interactions also in training\n",
      split, grouped(held_out.users), grouped(held_out.users_without_training),
      grouped(held_out.items_without_training), grouped(held_out.also_in_training));
}

std::string features_text(const std::string& kind, const std::optional<std::int64_t>& width) {
  return width ? fmt::format("{} features: {} columns\n", kind, grouped(*width)) : "";
}

std::string as_text(const std::string& path, const Dataset& data, const DatasetSummary& summary) {
  std::string out = path + "\n";
  for (const std::string& note : data.notes) out += "  " + note + "\n";
  const Splits splits{{"all", &summary.all},
                      {"train", &summary.train},
                      {"valid", &summary.valid},
                      {"test", &summary.test}};
  Table sizes({"", "all", "train", "valid", "test"});
  std::vector<std::string> counts{"interactions"};
  std::vector<std::string> densities{"density, %"};
  std::vector<std::string> full{"users with every item"};
  for (const auto& [name, split] : splits) {
    counts.push_back(grouped(split->interactions));
    densities.push_back(brief(100.0 * split->density));
    full.push_back(grouped(split->users_with_every_item));
  }
  sizes.add(std::move(counts));
  sizes.add(std::move(densities));
  sizes.add(std::move(full));
  out += "\n" + sizes.text();
  out += "\n" + side_table("users", splits, &InteractionsSummary::users);
  out += "\n" + side_table("items", splits, &InteractionsSummary::items);
  out += "\n" + held_out_text("valid", summary.held_out_valid);
  out += held_out_text("test", summary.held_out_test);
  out += features_text("user", summary.user_feature_width);
  out += features_text("item", summary.item_feature_width);
  return out;
}

int inspect_data(const InspectOptions& options) {
  const Recipe* recipe = options.config.recipe();
  if (recipe != nullptr && !options.config.names_data()) {
    if (options.json || options.memory) {
      throw ConfigError(
          "--recipe without DATA prints TOML: expected no --json or --memory with it");
    }
    if (options.config.changes_recipe()) {
      throw ConfigError(
          "--recipe without DATA prints the recipe as it is: expected no --set, --config or other "
          "settings with it");
    }
    print(write_recipe(*recipe));
    return kDone;
  }
  const Config config = options.config.resolve();
  const auto limit = limit_threads(config.threads);
  const Dataset data = load_dataset(config.data_path, config.data);
  const DatasetSummary summary = inspect(data);
  std::optional<MemoryReport> memory;
  expect_carried(config, options.ranks);
  if (options.memory || options.ranks > 1 || options.config.given("--model")) {
    memory = measure(data, config, options.ranks);
  }
  print(options.json ? as_json(config.data_path, data, summary, memory)
                     : as_text(config.data_path, data, summary) +
                           (memory ? memory_text(*memory, config, options.ranks) : ""));
  return kDone;
}

}  // namespace

Command add_inspect(CLI::App& program) {
  const auto options = std::make_shared<InspectOptions>();
  CLI::App* app = program.add_subcommand("inspect", "Summarise a data set and its splits");
  options->config.add_to(*app,
                         "directory, file or - (standard input) to read; optional with --recipe, "
                         "whose settings are then printed, as a file for --config");
  options->config.add_recipe(*app);
  options->config.add_short(*app, "--model", "model.kind");
  options->config.add_short(*app, "--device", "train.device");
  options->config.add_short(*app, "--threads", "train.threads");
  app->add_flag(
      "--memory", options->memory,
      "also show the memory that training needs, and the free memory; implied by --model");
  app->add_option("--ranks", options->ranks,
                  "the need of each of so many ranks that train together; implies --memory")
      ->type_name("N")
      ->check(CLI::Range(1, 32767))
      ->capture_default_str();
  app->add_flag("--json", options->json, "one JSON object instead of tables");
  app->footer(
      "With --memory, the keys of model, train, optimizer and evaluation matter too (tern train\n"
      "--help).\n\nKeys of --config (TOML) and --set, with their defaults:\n" +
      ConfigOptions::key_help({"data."}));
  return {app, [options] { return inspect_data(*options); }};
}

}  // namespace tern::cli
