#include <fmt/format.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <string>
#include <utility>
#include <vector>

#include "host/config/keys.hpp"
#include "host/config/recipes.hpp"
#include "host/config/value.hpp"
#include "host/python/module.hpp"
#include "tern/config.hpp"
#include "tern/error.hpp"

namespace nb = nanobind;

namespace tern::python {
namespace {

std::vector<std::pair<std::string, std::string>> recipe_settings(const std::string& name) {
  const Recipe& recipe = find_recipe(name);
  if (!recipe.searched.empty()) {
    throw ConfigError(fmt::format(
        "recipe {}: it tries settings in short trainings, which only the program `tern train` does",
        recipe.name));
  }
  Config config;
  apply_recipe(config, name);
  std::vector<std::pair<std::string, std::string>> settings;
  for (const Recipe::Setting& setting : recipe.settings) {
    settings.emplace_back(setting.key, to_toml(find_key(std::string(setting.key)).get(config)));
  }
  return settings;
}

}  // namespace

void bind_config(nb::module_& module) {
  nb::class_<ConfigKey>(module, "ConfigKey", "One key of the configuration.")
      .def_ro("key", &ConfigKey::key)
      .def_ro("type", &ConfigKey::type)
      .def_ro("default_value", &ConfigKey::default_value, "As TOML.")
      .def_ro("help", &ConfigKey::help);
  module.def("config_keys", &config_keys, "All keys, in the order of their sections.");
  module.def("recipe_settings", &recipe_settings, nb::arg("name"),
             "The keys of a recipe and their values as TOML.");
  nb::class_<Config>(module, "Config", "Everything that a job depends on besides its data.")
      .def(nb::init<>())
      .def(
          "set",
          [](Config& config, const std::string& key, const std::string& value) {
            set_config(config, key, value);
          },
          nb::arg("key"), nb::arg("value"), "Sets a key from its text as TOML. Raises ConfigError.")
      .def(
          "get",
          [](const Config& config, const std::string& key) {
            return to_toml(find_key(key).get(config));
          },
          nb::arg("key"), "The value of a key as TOML.")
      .def(
          "read",
          [](Config& config, const std::string& path) {
            std::vector<std::string> notes;
            read_config(config, path, &notes);
            return notes;
          },
          nb::arg("path"), "Sets the keys that a TOML file contains. Returns notes on it.")
      .def("validate", &validate, "Raises ConfigError if a value, or values together, do not hold.")
      .def("to_toml", &write_config, "The fully resolved configuration.");
}

}  // namespace tern::python
