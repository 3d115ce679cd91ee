#pragma once

#include <CLI/CLI.hpp>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "tern/config.hpp"

namespace tern::cli {

/// DATA, --config, --set, and options that are short for a key. Precedence: the base, then the
/// file, then --set in the order given, then the short options.
class ConfigOptions {
 public:
  /// help_for_data says what DATA is to this subcommand.
  void add_to(CLI::App& app, const std::string& help_for_data);
  /// "--epochs" for train.epochs: help, default and range are the key's.
  void add_short(CLI::App& app, const std::string& option, std::string_view key);

  /// Whether a short option is on the command line.
  bool given(std::string_view option) const;

  /// What was given, over `base`. Throws ConfigError. data_path is set: a missing one is an error
  /// too.
  Config resolve(const Config& base = {}) const;

  /// The keys that start with one of these, with defaults and ranges, for the end of a help text.
  static std::string key_help(const std::vector<std::string_view>& sections);

 private:
  struct Short {
    std::string option;
    std::string key;
    std::string value;
    CLI::Option* given = nullptr;
  };

  std::string data_;
  std::string file_;
  std::vector<std::string> sets_;
  std::deque<Short> shorts_;  // CLI11 keeps addresses of the values
};

/// Checks the text of an option against the range of a key.
CLI::Validator value_of(const std::string& key);

}  // namespace tern::cli
