#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "host/config/value.hpp"

namespace tern {

/// One "a.b = value" of a TOML document.
struct TomlEntry {
  std::string key;
  ConfigValue value;
  std::int64_t line = 0;
};

/// A TOML document as a flat list of its keys, in the order of their lines. An empty table is an
/// entry too, with nothing as its value. Throws ConfigError "name:line: what is wrong".
std::vector<TomlEntry> parse_toml(std::string_view text, std::string_view name);

/// A value as it would follow the "=" of a TOML line; text that is not valid TOML is a string.
ConfigValue parse_toml_value(std::string_view text);

}  // namespace tern
