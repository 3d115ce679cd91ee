#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "host/config/value.hpp"
#include "tern/config.hpp"

namespace tern {

/// One key of the configuration, with everything that reading, writing, help and messages need.
struct KeySpec {
  std::string key;   // "section.name"
  std::string type;  // for messages: "integer from 1 to 4096", "one of adam|sgd"
  std::string help;
  OnResume resume;
  /// Throws ConfigError, without naming the key, on a value of another type or out of range.
  std::function<void(Config&, const ConfigValue&)> set;
  std::function<ConfigValue(const Config&)> get;
  bool takes_text = false;  // text without quotes is a string as it stands
  bool takes_list = false;  // text without brackets is a list
};

/// Every key, section by section: the one place where a key is added.
const std::vector<KeySpec>& key_table();

/// Throws ConfigError on an unknown key, with a suggestion.
const KeySpec& find_key(std::string_view key);

/// Throws ConfigError "key: found value, expected range" for the first key with this prefix whose
/// value is out of range. For library functions that take a part of a Config.
void check_keys(const Config& config, std::string_view prefix);

/// Throws ConfigError unless the model has the layers that its contrast needs.
void check_contrast(const ModelOptions& model);
/// Throws ConfigError unless the model can have its kind of propagation.
void check_propagation(const ModelOptions& model);

}  // namespace tern
