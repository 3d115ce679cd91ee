#include "host/config/keys.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "host/config/key_sections.hpp"
#include "host/config/retired_keys.hpp"
#include "host/config/synonyms.hpp"
#include "host/support/edit_distance.hpp"
#include "host/support/message.hpp"
#include "tern/error.hpp"

namespace tern {
namespace {

std::string nearest_key(std::string_view key) {
  std::string nearest;
  int least = 0;
  for (const KeySpec& spec : key_table()) {
    // A match of the name without its section counts as one wrong letter.
    const std::string_view name = std::string_view(spec.key).substr(spec.key.find('.') + 1);
    const int distance = std::min(edit_distance(key, spec.key),
                                  edit_distance(key.substr(key.rfind('.') + 1), name) + 1);
    if (nearest.empty() || distance < least) {
      nearest = spec.key;
      least = distance;
    }
  }
  return nearest;
}

}  // namespace

const std::vector<KeySpec>& key_table() {
  static const std::vector<KeySpec> table = [] {
    std::vector<KeySpec> all;
    for (auto section : {data_keys, model_keys, propagation_keys, ease_keys, graph_filter_keys,
                         loss_keys, contrast_keys, sampling_keys, optimizer_keys, train_keys,
                         monitor_keys, checkpoint_keys, log_keys}) {
      for (KeySpec& key : section()) all.push_back(std::move(key));
    }
    return all;
  }();
  return table;
}

const KeySpec& find_key(std::string_view key) {
  for (const KeySpec& spec : key_table()) {
    if (spec.key == key) return spec;
  }
  if (const RetiredKey* retired = find_retired_key(key)) {
    throw ConfigError(
        fmt::format("the key {} is gone: set {} instead", quote(key), retired->successor));
  }
  std::string meant;
  for (const std::string_view known : keys_meant_by(key)) {
    meant += (meant.empty() ? "" : " or ") + std::string(known);
  }
  if (meant.empty()) meant = nearest_key(key);
  throw ConfigError("unknown key " + quote(key) + ": did you mean " + meant + "?");
}

}  // namespace tern
