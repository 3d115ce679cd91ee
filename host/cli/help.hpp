#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>
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

/// The message about a text that is no valid number. largest: the limit that it names, 0 for none.
std::string wrong_number(const std::string& text, std::string_view expected, std::uint64_t largest);

/// Adds an option that takes a number; the default is in `value`.
template <typename Number>
CLI::Option* add_number(CLI::App& app, const std::string& name, Number& value,
                        const std::string& help) {
  const auto check = [](const std::string& text) -> std::string {
    Number number{};
    if (CLI::detail::lexical_cast(text, number)) return "";
    if constexpr (std::is_floating_point_v<Number>) {
      return wrong_number(text, "a number", 0);
    } else {
      const bool is_unsigned = std::is_unsigned_v<Number>;
      return wrong_number(text, is_unsigned ? "a whole number of 0 or more" : "a whole number",
                          static_cast<std::uint64_t>(std::numeric_limits<Number>::max()));
    }
  };
  return app.add_option(name, value, help)
      ->type_name("N")
      ->check(CLI::Validator(check, "", ""))
      ->capture_default_str();
}

/// The text broken at spaces into lines of at most 100 columns, each indented by `indent` blanks.
std::string wrapped(std::string_view text, std::size_t indent);

}  // namespace tern::cli
