#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace tern::cli {

/// Formats help within 100 columns: an option, its value, its description, its default in brackets.
class HelpFormatter : public CLI::Formatter {
 public:
  std::string make_option(const CLI::Option* option, bool is_positional) const override;
};

/// Adds an option that takes one of these words; the default is in `value`.
CLI::Option* add_choice(CLI::App& app, const std::string& name, std::string& value,
                        const std::vector<std::string>& words, const std::string& help);

/// The text broken at spaces into lines of at most 100 columns, each indented by `indent` blanks.
std::string wrapped(std::string_view text, std::size_t indent);

}  // namespace tern::cli
