#pragma once

#include <span>
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
};

std::span<const Recipe> recipes();

/// Sets the keys of the recipe; all other keys keep their values. Throws ConfigError on an unknown
/// name, with all known ones.
void apply_recipe(Config& config, std::string_view name);

}  // namespace tern
