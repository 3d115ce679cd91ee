#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace tern::cli {

/// An option or a positional argument as --help shows it.
struct OptionDescription {
  std::vector<std::string> names;  // "-o", "--output"; a positional has one without a dash
  std::string value;               // "FILE", "tsv|jsonl"; empty for a flag
  std::string help;
  std::string default_value;
  bool is_positional = false;
  bool takes_many = false;  // values, up to the next option

  bool is_flag() const { return value.empty(); }
  /// The words to choose from, if the value is a choice.
  std::vector<std::string> choices() const;
};

/// A subcommand, or the program itself.
struct CommandDescription {
  std::string name;
  std::string summary;
  std::vector<OptionDescription> options;
  std::string footer;
};

/// The program, then its subcommands, in the order of --help.
std::vector<CommandDescription> describe_commands(const CLI::App& program);

/// The words of a type of the configuration, "one of a|b" or "true or false"; none for another type.
/// Words with a capital stand for other values ("cuda:N") and are left out.
std::vector<std::string> choices_of(std::string_view type);

}  // namespace tern::cli
