// tern generate: synthetic data with planted tastes and power-law degrees.

#include "tern/generate.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "host/cli/commands.hpp"
#include "host/cli/config_options.hpp"
#include "host/cli/console.hpp"
#include "host/cli/format.hpp"
#include "host/cli/help.hpp"
#include "host/cli/output.hpp"

namespace tern::cli {
namespace {

namespace fs = std::filesystem;

struct GenerateCommand {
  GenerateOptions data;
  std::string to;
  std::string format = "adjacency";
  bool quiet = false;
};

// Names such as "user17", which cannot be confused with positions in a table.
Vocabulary numbered_names(std::string_view kind, NodeId n) {
  Vocabulary names;
  for (NodeId id = 0; id < n; ++id) names.add(fmt::format("{}{}", kind, id));
  return names;
}

// The planted tastes, to compare learned neighbourhoods with: one line a name.
void write_tastes(const fs::path& path, const Vocabulary& names,
                  const std::vector<std::int32_t>& tastes) {
  Output out(path);
  out.write("id\ttaste\n");
  for (NodeId id = 0; id < names.size(); ++id) {
    out.write(fmt::format("{}\t{}\n", names.name(id), tastes[static_cast<std::size_t>(id)]));
  }
  out.finish();
}

int generate_data(const GenerateCommand& options) {
  const GeneratedData data = generate(options.data);
  const fs::path folder = options.to;
  make_directory(folder);
  const bool as_table = options.format == "tsv";
  const Vocabulary users = as_table ? numbered_names("user", options.data.users)
                                    : Vocabulary::numbered(options.data.users);
  const Vocabulary items = as_table ? numbered_names("item", options.data.items)
                                    : Vocabulary::numbered(options.data.items);
  const fs::path file = folder / (as_table ? "interactions.tsv" : "train.txt");
  if (as_table) {
    write_interactions_tsv(file, data.interactions, users, items);
  } else {
    write_adjacency(file, data.interactions);
  }
  write_tastes(folder / "user_tastes.tsv", users, data.user_tastes);
  write_tastes(folder / "item_tastes.tsv", items, data.item_tastes);
  Console(options.quiet ? Console::Mode::kQuiet : Console::Mode::kTalk)
      .line(fmt::format("wrote {} interactions of {} users with {} items to {}",
                        grouped(data.interactions.size()), grouped(users.size()),
                        grouped(items.size()), file.string()));
  return kDone;
}

}  // namespace

Command add_generate(CLI::App& program) {
  const auto options = std::make_shared<GenerateCommand>();
  GenerateOptions& data = options->data;
  CLI::App* app = program.add_subcommand("generate", "Make synthetic data with planted tastes");
  const auto option = [&](const std::string& name, auto& value, const std::string& help) {
    return add_number(*app, name, value, help);
  };
  app->add_option("--to", options->to, "directory to write to")->type_name("DIR")->required();
  option("--users", data.users, "number of users");
  option("--items", data.items, "number of items");
  option("--interactions", data.interactions,
         "different interactions: at least one per user, at most half of all pairs");
  option("--tastes", data.tastes, "number of tastes; each user and each item has one");
  option("--user-exponent", data.user_exponent,
         "exponent of the power law of the users' degrees, above 1");
  option("--item-exponent", data.item_exponent,
         "exponent of the power law of the items' degrees, above 1");
  option("--noise", data.noise, "share of interactions outside the user's taste, from 0 to 1");
  option("--seed", data.seed.value, "the same seed makes the same data")
      ->check(value_of("train.seed"));
  add_choice(*app, "--format", options->format, {"adjacency", "tsv"},
             "train.txt with numbers, or interactions.tsv with string ids");
  app->add_flag("--quiet", options->quiet, "no messages but errors");
  app->footer(
      "The planted tastes are written beside the data: user_tastes.tsv and item_tastes.tsv.");
  return {app, [options] { return generate_data(*options); }};
}

}  // namespace tern::cli
