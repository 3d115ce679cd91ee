#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tern/config.hpp"

namespace tern {

/// Settings under a name, most of them those of a publication.
struct Recipe {
  std::string_view name;
  std::string_view summary;  // for --help: what it trains, its source
  struct Setting {
    std::string_view key;
    std::string_view value;
  };
  std::vector<Setting> settings;
  /// A key whose value is searched from its setting on, and the values, ascending.
  struct Searched {
    std::string_view key;
    std::vector<std::string_view> values;
  };
  std::vector<Searched> searched = {};
};

std::span<const Recipe> recipes();

/// Throws ConfigError on an unknown or empty name, with all known ones.
const Recipe& find_recipe(std::string_view name);

/// The settings as TOML, a file for --config, with name, summary and searched keys as comments.
std::string write_recipe(const Recipe& recipe);

/// Sets the keys of the recipe; all other keys keep their values. Throws ConfigError as
/// find_recipe().
void apply_recipe(Config& config, std::string_view name);

}  // namespace tern
