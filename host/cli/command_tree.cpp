#include "host/cli/command_tree.hpp"

#include <algorithm>
#include <cctype>

namespace tern::cli {
namespace {

OptionDescription describe_option(const CLI::Option& option) {
  OptionDescription described;
  described.is_positional = option.get_positional();
  if (described.is_positional) {
    described.names.push_back(option.get_name(/*positional=*/true));
  } else {
    for (const std::string& name : option.get_snames()) described.names.push_back("-" + name);
    for (const std::string& name : option.get_lnames()) described.names.push_back("--" + name);
  }
  if (option.get_items_expected_max() > 0) described.value = option.get_type_name();
  described.help = option.get_description();
  described.default_value = option.get_default_str();
  described.takes_many = option.get_items_expected_max() > 1;
  return described;
}

CommandDescription describe_command(const CLI::App& app) {
  CommandDescription described{app.get_name(), app.get_description(), {}, app.get_footer()};
  for (const CLI::Option* option : app.get_options()) {
    described.options.push_back(describe_option(*option));
  }
  return described;
}

std::vector<std::string> split_choices(std::string_view text) {
  std::vector<std::string> words;
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find('|'));
    text.remove_prefix(std::min(word.size() + 1, text.size()));
    const auto is_capital = [](unsigned char c) { return std::isupper(c) != 0; };
    if (std::none_of(word.begin(), word.end(), is_capital)) words.emplace_back(word);
  }
  return words;
}

}  // namespace

std::vector<std::string> OptionDescription::choices() const {
  if (value.find('|') == std::string::npos) return {};
  return split_choices(value);
}

std::vector<CommandDescription> describe_commands(const CLI::App& program) {
  std::vector<CommandDescription> commands{describe_command(program)};
  for (const CLI::App* app : program.get_subcommands(nullptr)) {
    commands.push_back(describe_command(*app));
  }
  return commands;
}

std::vector<std::string> choices_of(std::string_view type) {
  constexpr std::string_view kOneOf = "one of ";
  if (type == "true or false") return {"true", "false"};
  if (!type.starts_with(kOneOf)) return {};
  return split_choices(type.substr(kOneOf.size()));
}

}  // namespace tern::cli
