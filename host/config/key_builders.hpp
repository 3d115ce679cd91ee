#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "host/config/keys.hpp"
#include "host/config/value_synonyms.hpp"
#include "tern/error.hpp"

namespace tern {

// Each function builds one key for the table in keys.cpp. `member` is a generic function from a
// Config, const or not, to a reference to the field: at(&Config::model, &ModelOptions::width).

template <typename... Members>
auto at(Members... members) {
  return [members...](auto& config) -> auto& {
    return (config.*....*members);
  };
}

inline constexpr std::string_view kTrueOrFalse = "true or false";

[[noreturn]] inline void reject(const ConfigValue& value, const std::string& type) {
  const bool vowel = type.find_first_of("aeiou") == 0;
  const bool bare = type.starts_with("one ") || type == kTrueOrFalse;
  const std::string article = bare ? "" : vowel ? "an " : "a ";
  throw ConfigError("found " + value.found + ", expected " + article + type);
}

template <typename Member>
KeySpec integer(std::string key, OnResume resume, std::string help, Member member, std::int64_t low,
                std::int64_t high) {
  KeySpec spec{std::move(key), {}, std::move(help), resume, {}, {}};
  spec.type = "integer from " + std::to_string(low) + " to " + std::to_string(high);
  spec.set = [member, low, high, type = spec.type](Config& config, const ConfigValue& value) {
    const std::int64_t* found = value.get<std::int64_t>();
    if (found == nullptr || *found < low || *found > high) reject(value, type);
    auto& field = member(config);
    field = static_cast<std::remove_reference_t<decltype(field)>>(*found);
  };
  spec.get = [member](const Config& config) {
    const auto field = member(config);
    // TOML's integers end at 2^63 - 1: a larger seed cannot be written to a file.
    return std::in_range<std::int64_t>(field)
               ? ConfigValue::of(static_cast<std::int64_t>(field))
               : ConfigValue::nothing("the integer " + std::to_string(field));
  };
  return spec;
}

/// The numbers that a key accepts. Each end is inclusive unless it is open.
struct Range {
  double low = 0.0;
  double high = std::numeric_limits<double>::infinity();
  enum class Ends : std::uint8_t { kClosed, kOpenLow, kOpenHigh } ends = Ends::kClosed;

  bool contains(double value) const {
    if (!std::isfinite(value)) return false;
    return (ends == Ends::kOpenLow ? value > low : value >= low) &&
           (ends == Ends::kOpenHigh ? value < high : value <= high);
  }
  std::string text() const {
    if (!std::isfinite(low)) return "number";
    const char* above = ends == Ends::kOpenLow ? "above" : "from";
    if (std::isfinite(high)) {
      const char* to = ends == Ends::kOpenHigh ? "to below" : "to";
      return fmt::format("number {} {} {} {}", above, low, to, high);
    }
    return ends == Ends::kOpenLow ? fmt::format("number above {}", low)
                                  : fmt::format("number of {} or more", low);
  }
};

inline constexpr double kInfinity = std::numeric_limits<double>::infinity();
inline constexpr Range kPositive{0.0, kInfinity, Range::Ends::kOpenLow};
inline constexpr Range kNotNegative{0.0, kInfinity};
inline constexpr Range kBelowOne{0.0, 1.0, Range::Ends::kOpenHigh};
inline constexpr Range kAnyNumber{-kInfinity, kInfinity};

inline std::optional<double> number_in(const ConfigValue& value, const Range& range) {
  std::optional<double> found;
  if (const auto* real = value.get<double>()) found = *real;
  if (const auto* whole = value.get<std::int64_t>()) found = static_cast<double>(*whole);
  if (found && !range.contains(*found)) found.reset();
  return found;
}

template <typename Member>
KeySpec number(std::string key, OnResume resume, std::string help, Member member, Range range) {
  KeySpec spec{std::move(key), range.text(), std::move(help), resume, {}, {}};
  spec.set = [member, range, type = spec.type](Config& config, const ConfigValue& value) {
    const std::optional<double> found = number_in(value, range);
    if (!found) reject(value, type);
    member(config) = *found;
  };
  spec.get = [member](const Config& config) { return ConfigValue::of(member(config)); };
  return spec;
}

/// A field that may be unset; the word `unset` stands for that.
template <typename Member>
KeySpec optional_number(std::string key, OnResume resume, std::string help, Member member,
                        Range range, const std::string& unset = "none") {
  KeySpec spec{
      std::move(key), range.text() + ", or \"" + unset + "\"", std::move(help), resume, {}, {}};
  spec.set = [member, range, unset, type = spec.type](Config& config, const ConfigValue& value) {
    const std::string* text = value.get<std::string>();
    const std::optional<double> found = number_in(value, range);
    if (!found && (text == nullptr || *text != unset)) reject(value, type);
    member(config) = found;
  };
  spec.get = [member, unset](const Config& config) {
    const std::optional<double>& field = member(config);
    return field ? ConfigValue::of(*field) : ConfigValue::of(unset);
  };
  return spec;
}

template <typename Enum, typename Member>
KeySpec choice(std::string key, OnResume resume, std::string help, Member member,
               std::initializer_list<std::pair<const char*, Enum>> values) {
  KeySpec spec{std::move(key), "one of ", std::move(help), resume, {}, {}};
  spec.takes_text = true;
  const std::vector<std::pair<const char*, Enum>> names(values);
  for (const auto& [name, value] : names) {
    if (!spec.type.ends_with(' ')) spec.type += '|';
    spec.type += name;
  }
  spec.set = [member, names, key = spec.key, type = spec.type](Config& config,
                                                               const ConfigValue& value) {
    const std::string* text = value.get<std::string>();
    if (text == nullptr) reject(value, type);
    std::vector<std::string_view> known;
    for (const auto& [name, meaning] : names) {
      if (*text == name) {
        member(config) = meaning;
        return;
      }
      known.emplace_back(name);
    }
    const std::string meant = value_meant_by(key, *text, known);
    reject(value, meant.empty() ? type : type + ": did you mean " + meant + "?");
  };
  spec.get = [member, names](const Config& config) {
    for (const auto& [name, meaning] : names) {
      if (member(config) == meaning) return ConfigValue::of(std::string(name));
    }
    return ConfigValue::nothing("an undefined value");
  };
  return spec;
}

template <typename Member>
KeySpec flag(std::string key, OnResume resume, std::string help, Member member) {
  KeySpec spec{std::move(key), std::string(kTrueOrFalse), std::move(help), resume, {}, {}};
  spec.set = [member, type = spec.type](Config& config, const ConfigValue& value) {
    const bool* found = value.get<bool>();
    if (found == nullptr) reject(value, type);
    member(config) = *found ? Switch::kOn : Switch::kOff;
  };
  spec.get = [member](const Config& config) {
    const Switch field = member(config);
    return field == Switch::kOn || field == Switch::kOff
               ? ConfigValue::of(field == Switch::kOn)
               : ConfigValue::nothing("an undefined value");
  };
  return spec;
}

using TextCheck = bool (*)(std::string_view text);

template <typename Member>
KeySpec text(std::string key, OnResume resume, std::string type, std::string help, Member member,
             TextCheck check) {
  KeySpec spec{std::move(key), std::move(type), std::move(help), resume, {}, {}};
  spec.takes_text = true;
  spec.set = [member, check, wanted = spec.type](Config& config, const ConfigValue& value) {
    const std::string* found = value.get<std::string>();
    if (found == nullptr || !check(*found)) reject(value, wanted);
    member(config) = *found;
  };
  spec.get = [member](const Config& config) { return ConfigValue::of(member(config)); };
  return spec;
}

/// A list of integers from low to high. A set has at least one, and no integer twice.
struct IntegerList {
  std::int64_t low = 0;
  std::int64_t high = 0;
  enum class Kind : std::uint8_t { kSet, kSequence } kind = Kind::kSet;

  bool is_set() const { return kind == Kind::kSet; }
  std::string text() const {
    return std::string(is_set() ? "list of different integers" : "list of integers") + " from " +
           std::to_string(low) + " to " + std::to_string(high) +
           (is_set() ? ", at least one" : ", or none");
  }
};

template <typename Member>
KeySpec integers(std::string key, OnResume resume, std::string help, Member member,
                 IntegerList list) {
  KeySpec spec{std::move(key), list.text(), std::move(help), resume, {}, {}};
  spec.takes_list = true;
  spec.set = [member, list, type = spec.type](Config& config, const ConfigValue& value) {
    const auto* items = value.get<std::vector<ConfigValue>>();
    if (items == nullptr || (items->empty() && list.is_set())) reject(value, type);
    std::vector<int> found;
    for (const ConfigValue& item : *items) {
      const std::int64_t* number = item.get<std::int64_t>();
      if (number == nullptr || *number < list.low || *number > list.high) reject(item, type);
      if (list.is_set() && std::find(found.begin(), found.end(), *number) != found.end()) {
        throw ConfigError("found " + std::to_string(*number) + " twice, expected a " + type);
      }
      found.push_back(static_cast<int>(*number));
    }
    member(config) = std::move(found);
  };
  spec.get = [member](const Config& config) {
    std::vector<ConfigValue> values;
    for (const int item : member(config)) values.push_back(ConfigValue::of(std::int64_t{item}));
    return ConfigValue::of(std::move(values));
  };
  return spec;
}

/// A number that both optimisers have. It is set for both, so that the order of the keys does not
/// matter; the value of the chosen optimiser is shown and written.
template <typename Adam, typename Sgd>
KeySpec shared_number(std::string key, OnResume resume, std::string help, Adam adam, Sgd sgd,
                      Range range) {
  KeySpec spec = number(std::move(key), resume, std::move(help), adam, range);
  spec.set = [adam, sgd, set = spec.set](Config& config, const ConfigValue& value) {
    set(config, value);
    sgd(config) = adam(config);
  };
  spec.get = [adam, sgd](const Config& config) {
    const bool is_adam = config.optimizer.kind == OptimizerKind::kAdam;
    return ConfigValue::of(is_adam ? adam(config) : sgd(config));
  };
  return spec;
}

}  // namespace tern
