#include "host/cli/config_options.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "host/cli/help.hpp"
#include "host/config/recipes.hpp"
#include "tern/error.hpp"

namespace tern::cli {
namespace {

std::string_view resume_note(OnResume resume) {
  if (resume == OnResume::kFixed) return "; fixed in a resumed run";
  return resume == OnResume::kBetweenEpochs ? "; fixed in a run resumed within an epoch" : "";
}

}  // namespace

void ConfigOptions::add_to(CLI::App& app, const std::string& help_for_data) {
  app.add_option("DATA", data_, help_for_data);
  app.add_option("--config", file_, "TOML file with keys; it overrides the defaults")
      ->type_name("FILE");
  app.add_option("--set", sets_,
                 "one key, e.g. --set model.width=32 (repeatable); it overrides the file")
      ->type_name("KEY=VALUE");
}

void ConfigOptions::add_recipe(CLI::App& app) {
  // The name may be missing, so that recipe() can list the names.
  recipe_given_ = app.add_option("--recipe", recipe_,
                                 "settings of a publication under a name (tern train --help lists "
                                 "all); they override the defaults")
                      ->type_name("NAME")
                      ->expected(0, 1);
}

void ConfigOptions::add_short(CLI::App& app, const std::string& option, std::string_view key) {
  const ConfigKey& known = *std::ranges::find(config_keys(), key, &ConfigKey::key);
  Short& added = shorts_.emplace_back(Short{option, known.key, {}, nullptr});
  std::string default_value = known.default_value;
  std::erase(default_value, '"');
  // A choice is shown as its words.
  constexpr std::string_view kOneOf = "one of ";
  const bool chooses = known.type.starts_with(kOneOf);
  added.given =
      app.add_option(option, added.value,
                     chooses ? fmt::format("{} ({})", known.help, known.key)
                             : fmt::format("{} ({}; {})", known.help, known.key, known.type))
          ->type_name(chooses ? known.type.substr(kOneOf.size()) : "VALUE")
          ->default_str(default_value);
}

bool ConfigOptions::given(std::string_view option) const {
  return std::any_of(shorts_.begin(), shorts_.end(), [&](const Short& known) {
    return known.option == option && known.given->count() > 0;
  });
}

const Recipe* ConfigOptions::recipe() const {
  const bool given = recipe_given_ != nullptr && recipe_given_->count() > 0;
  return given ? &find_recipe(recipe_) : nullptr;
}

Config ConfigOptions::recipe_defaults() const {
  Config config;
  if (recipe() != nullptr) apply_recipe(config, recipe()->name);
  return config;
}

bool ConfigOptions::names_data() const {
  Config config;
  apply_given(config, nullptr);
  return !config.data_path.empty();
}

Config ConfigOptions::resolve(std::vector<std::string>* notes) const {
  Config config = recipe_defaults();
  apply_given(config, notes);
  validate(config);
  if (config.data_path.empty()) {
    throw ConfigError("DATA is missing: name the directory or file to read");
  }
  return config;
}

Config ConfigOptions::apply_to(const Config& base, std::vector<std::string>* notes) const {
  Config config = base;
  if (recipe() != nullptr && recipe()->searched.empty()) apply_recipe(config, recipe()->name);
  apply_given(config, notes);
  validate(config);
  return config;
}

void ConfigOptions::apply_given(Config& config, std::vector<std::string>* notes) const {
  if (!file_.empty()) read_config(config, file_, notes);
  std::string data = data_;
  std::vector<std::string> sets = sets_;
  // "--set a.b=1 DATA": the option takes all words up to the next option, but a last word without
  // "=" can only be DATA.
  if (data.empty() && !sets.empty() && sets.back().find('=') == std::string::npos) {
    data = sets.back();
    sets.pop_back();
  }
  for (const std::string& assignment : sets) {
    const std::size_t equals = assignment.find('=');
    if (equals == std::string::npos) {
      throw ConfigError("--set: found \"" + assignment + "\", expected KEY=VALUE");
    }
    set_config(config, assignment.substr(0, equals), assignment.substr(equals + 1));
  }
  for (const Short& option : shorts_) {
    if (option.given->count() == 0) continue;
    try {
      set_config(config, option.key, option.value);
    } catch (const ConfigError& error) {
      throw ConfigError(option.option + ": " + error.what());
    }
  }
  if (!data.empty()) config.data_path = data;
}

bool ConfigOptions::fixes(std::string_view key, std::string_view value,
                          std::string_view other) const {
  Config a;
  Config b;
  set_config(a, key, value);
  set_config(b, key, other);
  apply_given(a, nullptr);
  apply_given(b, nullptr);
  return compare_configs(a, b).empty();
}

bool ConfigOptions::changes_recipe() const {
  const Config recipe = recipe_defaults();
  Config changed = recipe;
  apply_given(changed, nullptr);
  return !compare_configs(recipe, changed).empty();
}

std::string ConfigOptions::recipe_help() {
  std::string out;
  for (const Recipe& recipe : recipes()) {
    out += fmt::format("  {}\n", recipe.name) + wrapped(recipe.summary, 6);
    std::string settings;
    for (const auto& [key, value] : recipe.settings) settings += fmt::format("{}={} ", key, value);
    out += wrapped(settings, 6);
    for (const auto& [key, values] : recipe.searched) {
      out += wrapped(fmt::format("searched: {} in {}", key, fmt::join(values, " ")), 6);
    }
  }
  return out;
}

std::string ConfigOptions::key_help(const std::vector<std::string_view>& sections) {
  std::string out;
  for (const ConfigKey& key : config_keys()) {
    const auto is_in = [&](std::string_view section) { return key.key.starts_with(section); };
    if (std::none_of(sections.begin(), sections.end(), is_in)) continue;
    out += fmt::format("  {} = {}\n", key.key, key.default_value);
    out += wrapped(fmt::format("{} ({}{})", key.help, key.type, resume_note(key.resume)), 6);
  }
  return out;
}

CLI::Validator value_of(const std::string& key) {
  return CLI::Validator(
      [key](const std::string& value) -> std::string {
        Config config;
        try {
          set_config(config, key, value);
        } catch (const ConfigError& error) {
          return error.what();
        }
        return "";
      },
      "", key);
}

}  // namespace tern::cli
