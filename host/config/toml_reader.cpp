#include "host/config/toml_reader.hpp"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <cstdint>
#include <utility>

#include "tern/error.hpp"

namespace tern {
namespace {

constexpr std::int64_t kMaxDots = 2000;

ConfigValue convert(const toml::node& node) {
  if (const auto* value = node.as_boolean()) return ConfigValue::of(value->get());
  if (const auto* value = node.as_integer()) return ConfigValue::of(value->get());
  if (const auto* value = node.as_floating_point()) return ConfigValue::of(value->get());
  if (const auto* value = node.as_string()) return ConfigValue::of(value->get());
  if (const auto* array = node.as_array()) {
    std::vector<ConfigValue> values;
    values.reserve(array->size());
    for (const toml::node& item : *array) values.push_back(convert(item));
    return ConfigValue::of(std::move(values));
  }
  return ConfigValue::nothing(std::string(node.is_table() ? kTable : "a date or time"));
}

void flatten(const toml::table& table, const std::string& prefix, std::vector<TomlEntry>& entries) {
  for (const auto& [name, node] : table) {
    std::string key = prefix;
    if (!key.empty()) key += '.';
    key += name.str();
    const toml::table* inner = node.as_table();
    if (inner != nullptr && !inner->empty()) {
      flatten(*inner, key, entries);
    } else {
      entries.push_back({std::move(key), convert(node), node.source().begin.line});
    }
  }
}

// The parser's message on one line.
std::string one_line(std::string_view text) {
  std::string out(text);
  std::replace_if(
      out.begin(), out.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
  return out;
}

/// Each dot of a key is a level of tables, which the parser visits by recursion: a long line of
/// dots would overflow the stack. All dots count, in quotes too, so that no quoting can hide one.
bool too_many_dots(std::string_view text) {
  return std::count(text.begin(), text.end(), '.') > kMaxDots;
}

}  // namespace

std::vector<TomlEntry> parse_toml(std::string_view text, std::string_view name) {
  if (too_many_dots(text)) {
    throw ConfigError(fmt::format("{}: found more than {} dots, expected keys such as train.epochs",
                                  name, kMaxDots));
  }
  toml::table document;
  try {
    document = toml::parse(text);
  } catch (const toml::parse_error& error) {
    throw ConfigError(std::string(name) + ":" + std::to_string(error.source().begin.line) + ": " +
                      one_line(error.description()));
  }
  std::vector<TomlEntry> entries;
  flatten(document, "", entries);
  std::stable_sort(entries.begin(), entries.end(),
                   [](const TomlEntry& a, const TomlEntry& b) { return a.line < b.line; });
  return entries;
}

ConfigValue parse_toml_value(std::string_view text) {
  if (too_many_dots(text)) return ConfigValue::of(std::string(text));
  try {
    const toml::table document = toml::parse("value = " + std::string(text));
    // More than one key: the text itself had a line break and another key.
    if (document.size() == 1) return convert(*document.get("value"));
  } catch (const toml::parse_error&) {  // it is plain text
  }
  return ConfigValue::of(std::string(text));
}

}  // namespace tern
