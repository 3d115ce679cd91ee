#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace tern {

/// The name of a table in messages.
inline constexpr std::string_view kTable = "a table";

/// A value from a configuration, before it is checked against its key.
struct ConfigValue {
  /// monostate: a value that no key accepts (a table, a date, a time).
  std::variant<std::monostate, bool, std::int64_t, double, std::string, std::vector<ConfigValue>>
      data;
  /// Its description in messages: `the string "ten"`, `the number 1.5`, `a table`.
  std::string found;

  template <typename T>
  const T* get() const noexcept {
    return std::get_if<T>(&data);
  }

  static ConfigValue of(bool value);
  static ConfigValue of(std::int64_t value);
  static ConfigValue of(double value);
  static ConfigValue of(std::string value);
  static ConfigValue of(std::vector<ConfigValue> values);
  static ConfigValue nothing(std::string found);
};

/// The shortest decimal text that reads back as the same double, as TOML writes a float ("0.1",
/// "64.0", "1e-8").
std::string shortest_text(double value);

/// The value as TOML. Throws ConfigError if TOML cannot hold it (a string that is not UTF-8, or
/// nothing()).
std::string to_toml(const ConfigValue& value);

}  // namespace tern
