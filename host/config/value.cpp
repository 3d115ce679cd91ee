#include "host/config/value.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <system_error>
#include <utility>

#include "host/support/message.hpp"
#include "host/support/utf8.hpp"
#include "tern/error.hpp"

namespace tern {
namespace {

std::string escaped(char c) {
  const auto byte = static_cast<unsigned char>(c);
  if (c == '"' || c == '\\') return {'\\', c};
  if (c == '\n') return "\\n";
  if (c == '\t') return "\\t";
  return byte < 0x20 || byte == 0x7f ? fmt::format("\\u{:04X}", byte) : std::string(1, c);
}

std::string toml_string(const std::string& text) {
  if (!is_utf8(text)) {
    throw ConfigError("found " + quote(text) + ", expected UTF-8, the only encoding of TOML");
  }
  std::string out = "\"";
  for (const char c : text) out += escaped(c);
  return out + "\"";
}

}  // namespace

ConfigValue ConfigValue::of(bool value) {
  return {value, value ? "true" : "false"};
}

ConfigValue ConfigValue::of(std::int64_t value) {
  return {value, "the integer " + std::to_string(value)};
}

ConfigValue ConfigValue::of(double value) {
  return {value, "the number " + shortest_text(value)};
}

ConfigValue ConfigValue::of(std::string value) {
  std::string found = "the string " + quote(value);
  return {std::move(value), std::move(found)};
}

ConfigValue ConfigValue::of(std::vector<ConfigValue> values) {
  std::string found = "a list of " + std::to_string(values.size());
  return {std::move(values), std::move(found)};
}

ConfigValue ConfigValue::nothing(std::string found) {
  return {std::monostate{}, std::move(found)};
}

std::string shortest_text(double value) {
  std::array<char, 32> buffer{};
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value).ptr;
  std::string text(buffer.data(), end);
  // "1e-4" rather than "1e-04".
  const std::size_t exponent = text.find('e');
  if (exponent != std::string::npos && text[exponent + 2] == '0') text.erase(exponent + 2, 1);
  // A TOML float has a point or an exponent, unlike an integer ("inf" and "nan" have an n).
  if (text.find_first_of(".en") == std::string::npos) text += ".0";
  return text;
}

std::string to_toml(const ConfigValue& value) {
  if (const auto* flag = value.get<bool>()) return *flag ? "true" : "false";
  if (const auto* integer = value.get<std::int64_t>()) return std::to_string(*integer);
  if (const auto* number = value.get<double>()) return shortest_text(*number);
  if (const auto* text = value.get<std::string>()) return toml_string(*text);
  const auto* list = value.get<std::vector<ConfigValue>>();
  if (list == nullptr) throw ConfigError("found " + value.found + ", which TOML cannot hold");
  std::string out = "[";
  for (const ConfigValue& item : *list) {
    if (out.size() > 1) out += ", ";
    out += to_toml(item);
  }
  return out + "]";
}

}  // namespace tern
