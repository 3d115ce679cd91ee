#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace tern::cli {

/// Help texts as this program has them: an option, what it takes, what it does and its default in
/// brackets, within 100 columns.
class HelpFormatter : public CLI::Formatter {
 public:
  std::string make_option(const CLI::Option* option, bool is_positional) const override;
};

/// An option that takes one of these words, value being the default.
CLI::Option* add_choice(CLI::App& app, const std::string& name, std::string& value,
                        const std::vector<std::string>& words, const std::string& help);

/// The text broken at spaces into lines of at most 100 columns, each after `indent` blanks.
std::string wrapped(std::string_view text, std::size_t indent);

}  // namespace tern::cli
