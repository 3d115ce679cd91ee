#pragma once

#include <CLI/CLI.hpp>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "host/config/recipes.hpp"
#include "tern/config.hpp"

namespace tern::cli {

/// DATA, --recipe, --config, --set, and short options for single keys. Later ones override earlier
/// ones: the base, the recipe, the file, --set in the order given, the short options.
class ConfigOptions {
 public:
  /// help_for_data: the help text of DATA.
  void add_to(CLI::App& app, const std::string& help_for_data);
  /// --recipe.
  void add_recipe(CLI::App& app);
  /// An option such as "--epochs" for train.epochs, with the key's help, default and range.
  void add_short(CLI::App& app, const std::string& option, std::string_view key);

  /// Whether the command line has this short option.
  bool given(std::string_view option) const;

  /// The defaults with everything given on the command line. Throws ConfigError, also if DATA is
  /// missing. *notes gets those of read_config().
  Config resolve(std::vector<std::string>* notes = nullptr) const;
  /// The defaults with the recipe alone. Throws ConfigError on an unknown recipe.
  Config recipe_defaults() const;
  /// `base`, the configuration of a run, with everything given on the command line; DATA may be
  /// missing. A recipe that searches keys sets none: the run has the values that were found. Throws
  /// ConfigError.
  Config apply_to(const Config& base, std::vector<std::string>* notes = nullptr) const;

  /// Whether the file, --set or a short option sets the key. value, other: two valid values.
  bool fixes(std::string_view key, std::string_view value, std::string_view other) const;

  /// The recipe; null without --recipe. Throws ConfigError on an unknown name, and if none is given.
  const Recipe* recipe() const;
  /// Whether DATA, or data.path in the file, is given. Throws ConfigError.
  bool names_data() const;

  /// Whether the file, --set or a short option changes a key from its value in the recipe, or from its
  /// default if the recipe does not set it. Throws ConfigError.
  bool changes_recipe() const;

  /// Help for --recipe: every recipe with its settings.
  static std::string recipe_help();
  /// Help for the keys that start with one of these, with defaults and ranges.
  static std::string key_help(const std::vector<std::string_view>& sections);

 private:
  void apply_given(Config& config, std::vector<std::string>* notes) const;

  struct Short {
    std::string option;
    std::string key;
    std::string value;
    CLI::Option* given = nullptr;
  };

  std::string data_;
  std::string recipe_;
  CLI::Option* recipe_given_ = nullptr;
  std::string file_;
  std::vector<std::string> sets_;
  std::deque<Short> shorts_;  // CLI11 keeps pointers to the values
};

/// Checks the text of an option against the range of a key.
CLI::Validator value_of(const std::string& key);

}  // namespace tern::cli
