#include "tern/config.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>

#include "host/config/batch.hpp"
#include "host/config/keys.hpp"
#include "host/config/retired_keys.hpp"
#include "host/config/toml_reader.hpp"
#include "host/config/value.hpp"
#include "host/support/file_bytes.hpp"
#include "host/support/message.hpp"
#include "tern/error.hpp"

namespace tern {
namespace {

// Far more than any configuration needs; a larger file is refused before all of it is read.
constexpr std::int64_t kMaxFileBytes = std::int64_t{1} << 20;

bool is_section(std::string_view name) {
  return std::any_of(key_table().begin(), key_table().end(), [&](const KeySpec& spec) {
    return spec.key.size() > name.size() && spec.key.starts_with(name) &&
           spec.key[name.size()] == '.';
  });
}

std::string read_text(const std::filesystem::path& path) {
  try {
    return std::string(read_whole_file(path, kMaxFileBytes).view());
  } catch (const DataError& error) {
    throw ConfigError(std::string("cannot read the configuration ") + error.what());
  }
}

void apply(Config& config, const KeySpec& spec, const ConfigValue& value) {
  try {
    spec.set(config, value);
  } catch (const ConfigError& error) {
    throw ConfigError(spec.key + ": " + error.what());
  }
}

}  // namespace

std::string_view model_name(ModelKind kind) {
  if (kind == ModelKind::kLightGcn) return "lightgcn";
  if (kind == ModelKind::kMatrixFactorization) return "mf";
  if (kind == ModelKind::kEase) return "ease";
  if (kind == ModelKind::kGraphFilter) return "graph_filter";
  return kind == ModelKind::kGcMc ? "gcmc" : "";
}

bool is_fitted(ModelKind kind) {
  return kind == ModelKind::kEase || kind == ModelKind::kGraphFilter;
}

const std::vector<ConfigKey>& config_keys() {
  static const std::vector<ConfigKey> keys = [] {
    const Config defaults;
    std::vector<ConfigKey> all;
    for (const KeySpec& spec : key_table()) {
      all.push_back({spec.key, spec.type, to_toml(spec.get(defaults)), spec.help, spec.resume});
    }
    return all;
  }();
  return keys;
}

void set_config(Config& config, std::string_view key, std::string_view value) {
  const KeySpec& spec = find_key(key);
  const bool is_quoted = value.starts_with('"') || value.starts_with('\'');
  ConfigValue parsed;
  if (spec.takes_text && !is_quoted) {
    parsed = ConfigValue::of(std::string(value));
  } else if (spec.takes_list && !value.starts_with('[')) {
    // On a command line a list is usually written without brackets: 10,20.
    parsed = parse_toml_value(fmt::format("[{}]", value));
    if (parsed.get<std::string>() != nullptr) parsed = ConfigValue::of(std::string(value));
  } else {
    parsed = parse_toml_value(value);
  }
  apply(config, spec, parsed);
}

void read_config(Config& config, const std::filesystem::path& path,
                 std::vector<std::string>* notes) {
  const std::string name = path.string();
  Config changed = config;  // so that an error in the file changes nothing
  std::vector<std::string> found;
  for (const TomlEntry& entry : parse_toml(read_text(path), name)) {
    if (const RetiredKey* retired = find_retired_key(entry.key)) {
      found.push_back(fmt::format("{}:{}: {} is ignored, because this version has {} instead", name,
                                  entry.line, entry.key, retired->successor));
      continue;
    }
    try {
      if (is_section(entry.key)) {
        if (entry.value.found == kTable) continue;  // a section without keys
        throw ConfigError(quote(entry.key) + " is a section: found " + entry.value.found +
                          ", expected [" + entry.key + "] and keys under it");
      }
      apply(changed, find_key(entry.key), entry.value);
    } catch (const ConfigError& error) {
      throw ConfigError(name + ":" + std::to_string(entry.line) + ": " + error.what());
    }
  }
  config = std::move(changed);
  if (notes != nullptr) notes->insert(notes->end(), found.begin(), found.end());
}

std::string write_config(const Config& config) {
  std::string out;
  std::string section;
  for (const KeySpec& spec : key_table()) {
    const std::size_t dot = spec.key.find('.');
    if (section != spec.key.substr(0, dot)) {
      section = spec.key.substr(0, dot);
      out += (out.empty() ? "[" : "\n[") + section + "]\n";
    }
    try {
      out += spec.key.substr(dot + 1) + " = " + to_toml(spec.get(config)) + "\n";
    } catch (const ConfigError& error) {
      throw ConfigError(spec.key + ": " + error.what());
    }
  }
  return out;
}

std::vector<ConfigDifference> compare_configs(const Config& from, const Config& to) {
  std::vector<ConfigDifference> all;
  for (const KeySpec& spec : key_table()) {
    ConfigDifference difference{spec.key, to_toml(spec.get(from)), to_toml(spec.get(to)),
                                spec.resume};
    if (difference.from != difference.to) all.push_back(std::move(difference));
  }
  return all;
}

void check_keys(const Config& config, std::string_view prefix) {
  Config copy = config;
  for (const KeySpec& spec : key_table()) {
    if (spec.key.starts_with(prefix)) apply(copy, spec, spec.get(config));
  }
}

namespace {

void expect_layers(std::string_view setting, const ModelOptions& model) {
  if (model.kind == ModelKind::kLightGcn && model.layers >= 1) return;
  throw ConfigError(fmt::format(
      "{} needs model.kind = lightgcn with model.layers from 1, found {}", setting,
      model.kind == ModelKind::kLightGcn ? fmt::format("model.layers = {}", model.layers)
                                         : fmt::format("model.kind = {}", model_name(model.kind))));
}

}  // namespace

void check_contrast(const ModelOptions& model) {
  if (model.contrast.kind == ContrastKind::kNone) return;
  expect_layers("contrast.kind = xsimgcl", model);
  if (model.contrast.layer > model.layers) {
    throw ConfigError(fmt::format("contrast.view_layer: found {}, but model.layers is {}",
                                  model.contrast.layer, model.layers));
  }
}

void check_propagation(const ModelOptions& model) {
  if (model.propagation.kind == PropagationKind::kLightGcn) return;
  expect_layers("propagation.kind = lightgcn++", model);
  if (model.contrast.kind != ContrastKind::kNone) {
    throw ConfigError(
        "propagation.kind = lightgcn++ and contrast.kind = xsimgcl exclude each other: set one of "
        "them to its default");
  }
}

void validate(const Config& config) {
  check_keys(config, "");
  check_propagation(config.model);
  check_contrast(config.model);
  if (is_fitted(config.model.kind) && config.evaluation.score == ScoreKind::kCosine) {
    throw ConfigError(fmt::format(
        "evaluation.score: found cosine, but model.kind = {} has no embeddings: set it to dot",
        model_name(config.model.kind)));
  }
  const int k = std::stoi(config.metric.substr(config.metric.find('@') + 1));
  const std::vector<int>& ks = config.evaluation.ks;
  if (std::find(ks.begin(), ks.end(), k) == ks.end()) {
    throw ConfigError("train.metric: found the string " + quote(config.metric) +
                      ", but evaluation.ks = " + to_toml(find_key("evaluation.ks").get(config)) +
                      " has no " + std::to_string(k));
  }
  if (!contrasts_samples(config.loss)) return;
  if (batch_triplets(config) > kMaxBatchTriplets) {
    throw ConfigError("train.batch_size: found " + std::to_string(config.batch_size) +
                      " pairs with sampling.negatives_per_positive = " +
                      std::to_string(config.sampling.negatives_per_positive) +
                      " each, expected a product of at most " + std::to_string(kMaxBatchTriplets));
  }
  if (config.loss.softmax.popularity_correction != 0.0 && !contrasts_pairs(config.loss)) {
    const bool softmax = is_softmax(config.loss.kind);
    throw ConfigError("loss.popularity_correction: found " +
                      to_toml(find_key("loss.popularity_correction").get(config)) + ", but " +
                      (softmax ? "loss.negatives = \"sampled\"" : "loss.kind = \"ccl\"") +
                      " corrects for nothing: set it to 0");
  }
}

}  // namespace tern
