#include "host/cli/help.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "host/support/message.hpp"

namespace tern::cli {
namespace {

constexpr std::size_t kWidth = 100;
constexpr std::size_t kNameWidth = 24;  // longer names get a line of their own

std::string names_of(const CLI::Option& option, bool is_positional) {
  std::string names = option.get_name(is_positional, /*all_options=*/true);
  std::string spaced;  // "-o, --output" rather than "-o,--output"
  for (const char c : names) spaced += c == ',' ? ", " : std::string(1, c);
  const std::string taken = option.get_type_name();
  const bool takes_something = option.get_items_expected_max() > 0 && !is_positional;
  return takes_something && !taken.empty() ? spaced + " " + taken : spaced;
}

}  // namespace

std::string HelpFormatter::make_option(const CLI::Option* option, bool is_positional) const {
  std::string text = option->get_description();
  if (!option->get_default_str().empty()) text += " [" + option->get_default_str() + "]";
  std::string head = "  " + names_of(*option, is_positional);
  const std::string body = wrapped(text, kNameWidth + 2);
  if (head.size() + 2 > kNameWidth + 2) return head + "\n" + body;
  head.resize(kNameWidth + 2, ' ');
  return head + body.substr(kNameWidth + 2);
}

CLI::Option* add_choice(CLI::App& app, const std::string& name, std::string& value,
                        const std::vector<std::string>& words, const std::string& help) {
  // Without a description, as the type name lists the words already.
  return app.add_option(name, value, help)
      ->type_name(fmt::format("{}", fmt::join(words, "|")))
      ->check(CLI::IsMember(words).description(""))
      ->capture_default_str();
}

std::string wrong_number(const std::string& text, std::string_view expected,
                         std::uint64_t largest) {
  const bool digits = !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
  const std::string limit = digits && largest > 0 ? fmt::format(" up to {}", largest) : "";
  return fmt::format("found {}, expected {}{}", quote(text), expected, limit);
}

std::string wrapped(std::string_view text, std::size_t indent) {
  std::string out;
  std::string line;
  const auto end_line = [&] {
    if (!line.empty()) out += std::string(indent, ' ') + line + "\n";
    line.clear();
  };
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(word.size() + 1, text.size()));
    if (!line.empty() && indent + line.size() + 1 + word.size() > kWidth) end_line();
    if (!line.empty()) line += ' ';
    line += word;
  }
  end_line();
  return out;
}

}  // namespace tern::cli
