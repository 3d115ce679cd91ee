// tern split: the split of a data set as files, for tern and other programs.

#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

#include "host/cli/commands.hpp"
#include "host/cli/config_options.hpp"
#include "host/cli/console.hpp"
#include "host/cli/output.hpp"
#include "host/data/write_split.hpp"
#include "tern/dataset.hpp"
#include "tern/error.hpp"

namespace tern::cli {
namespace {

namespace fs = std::filesystem;

struct SplitOptions {
  ConfigOptions config;
  std::string to;
  bool quiet = false;
};

/// Throws ConfigError if the directory is there and has entries, Error if it cannot be read.
void expect_empty(const fs::path& folder) {
  std::error_code error;
  if (!fs::is_directory(folder, error)) return;
  const bool is_empty = fs::is_empty(folder, error);
  if (error) {
    throw Error(fmt::format("--to: {} cannot be read: {}", folder.string(), error.message()));
  }
  if (!is_empty) {
    throw ConfigError(
        fmt::format("--to: {} is not empty: choose a new directory", folder.string()));
  }
}

int split_data(const SplitOptions& options) {
  const Config config = options.config.resolve();
  const fs::path folder = options.to;
  expect_empty(folder);
  Console console(options.quiet ? Console::Mode::kQuiet : Console::Mode::kTalk);
  const Dataset data = load_dataset(config.data_path, config.data, FeatureFiles::kSkip);
  for (const std::string& note : data.notes) console.line(note);
  make_directory(folder);
  const std::vector<std::string> names = write_split(config.data_path, data, folder);
  console.line(fmt::format("wrote {} to {}; tern train {} reads this split", fmt::join(names, ", "),
                           folder.string(), folder.string()));
  return kDone;
}

}  // namespace

Command add_split(CLI::App& program) {
  const auto options = std::make_shared<SplitOptions>();
  CLI::App* app = program.add_subcommand("split", "Write the split of a data set as files");
  options->config.add_to(*app, "directory or file of interactions, as for tern train");
  app->add_option("--to", options->to, "directory to write to: new, or empty")
      ->type_name("DIR")
      ->required();
  app->add_flag("--quiet", options->quiet, "no messages but errors");
  app->footer(
      "Writes train, valid and test: adjacency lists (.txt) if the ids are the numbers of the\n"
      "nodes, so that training on DIR gives the same bits as training on DATA; else tables (.tsv)\n"
      "of user and item, whose nodes are numbered anew. Ratings and times are not kept. Feature\n"
      "files are copied.\n\nKeys of --config (TOML) and --set, with their defaults:\n" +
      ConfigOptions::key_help({"data."}));
  return {app, [options] { return split_data(*options); }};
}

}  // namespace tern::cli
