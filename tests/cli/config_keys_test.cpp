// The table of keys: each range holds in a file, in --set and in validate(), each rule for --resume
// is as documented, and the names of other programs lead to their keys.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>
#include <limits>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "host/config/synonyms.hpp"
#include "tern/config.hpp"
#include "tern/error.hpp"
#include "tests/support/temporary_directory.hpp"

namespace tern {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

std::string complaint(const std::function<void()>& body) {
  try {
    body();
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "no complaint";
}

std::string number(double value) {
  std::ostringstream text;
  text.precision(17);
  text << value;
  return text.str();
}

// Values just outside the range in a key's type, as TOML. Empty: this function does not know the
// form of the type.
std::vector<std::string> just_outside(const std::string& type) {
  std::smatch found;
  const auto is = [&](const char* form) {
    return std::regex_search(type, found, std::regex(form));
  };
  const auto real = [&](int group) { return std::stod(found[group]); };
  const auto after = [](double x) { return number(std::nextafter(x, 1e300)); };
  const auto before = [](double x) {
    return x == 0.0 ? "-1e-300" : number(std::nextafter(x, -1e300));
  };
  if (is("^integer from (\\d+) to (\\d+)$")) {
    const std::string high = found[2];
    const bool largest = high == "9223372036854775807";
    return {std::to_string(std::stoll(found[1]) - 1),
            largest ? "9223372036854775808" : std::to_string(std::stoll(high) + 1), "1.5"};
  }
  if (is("^list of .*integers from (\\d+) to (\\d+)")) {
    return {"[" + std::to_string(std::stoll(found[1]) - 1) + "]",
            "[" + std::to_string(std::stoll(found[2]) + 1) + "]", "\"x\""};
  }
  if (is("^number above ([0-9.]+)$")) return {found[1], "inf", "nan"};
  if (is("^number of ([0-9.]+) or more$")) return {before(real(1)), "inf", "nan"};
  if (is("^number from ([0-9.]+) to below ([0-9.]+)")) return {before(real(1)), found[2], "nan"};
  if (is("^number from (-?[0-9.]+) to ([0-9.]+)$")) return {before(real(1)), after(real(2)), "nan"};
  if (is("^number, or")) return {"inf", "nan", "\"x\""};
  if (is("^one of (\\w[^|]*)")) return {"\"" + found[1].str() + "x\"", "\"\"", "1"};
  if (is("^true or false$")) return {"1", "\"true\"", "[]"};
  if (is("^path$|^header name|^name@k")) return {"1", "true", "[]"};
  return {};
}

TEST(ConfigTable, RefusesValuesJustOutsideOfARangeByFileAndBySet) {
  const test::TemporaryDirectory directory;
  const std::filesystem::path file = directory / "config.toml";
  for (const ConfigKey& key : config_keys()) {
    const std::vector<std::string> values = just_outside(key.type);
    EXPECT_THAT(values, Not(IsEmpty())) << key.key << ": " << key.type;
    for (const std::string& value : values) {
      std::ofstream(file) << key.key << " = " << value << "\n";
      Config config;
      const std::string by_file = complaint([&] { read_config(config, file); });
      if (value == "9223372036854775808") {  // no TOML
        EXPECT_THAT(by_file, StartsWith(file.string() + ":1: "));
        continue;
      }
      EXPECT_THAT(by_file, AllOf(StartsWith(file.string() + ":1: " + key.key + ": found "),
                                 HasSubstr(", expected "), Not(EndsWith("."))))
          << value;
      // On a command line a string needs no quotes, so that any value is a string.
      if (key.type.starts_with("path") || key.type.starts_with("header name")) continue;
      const std::string by_set = complaint([&] { set_config(config, key.key, value); });
      EXPECT_THAT(by_set, AllOf(StartsWith(key.key + ": found "), HasSubstr(", expected "),
                                Not(EndsWith("."))))
          << value;
    }
  }
}

// For each key, a value outside its range that a C++ program can put into a Config.
const std::map<std::string, std::function<void(Config&)>>& invalid_fields() {
  static const double nan = std::numeric_limits<double>::quiet_NaN();
  static const std::string nul(1, '\0');
  static const std::map<std::string, std::function<void(Config&)>> all{
      {"data.path", [](Config& c) { c.data_path = nul; }},
      {"data.split", [](Config& c) { c.data.split = static_cast<SplitMethod>(99); }},
      {"data.test_fraction", [](Config& c) { c.data.test_fraction = 1.0; }},
      {"data.valid_fraction", [](Config& c) { c.data.valid_fraction = -0.1; }},
      {"data.split_seed", [](Config& c) { c.data.split_seed = Seed{std::uint64_t{1} << 63}; }},
      {"data.k_core", [](Config& c) { c.data.k_core = -1; }},
      {"data.min_rating", [](Config& c) { c.data.min_rating = nan; }},
      {"data.format", [](Config& c) { c.data.format = static_cast<DataFormat>(99); }},
      {"data.separator", [](Config& c) { c.data.separator = "ab"; }},
      {"data.header", [](Config& c) { c.data.header = static_cast<HeaderRow>(99); }},
      {"data.encoding", [](Config& c) { c.data.encoding = static_cast<TextEncoding>(99); }},
      {"data.user_column", [](Config& c) { c.data.user_column = nul; }},
      {"data.item_column", [](Config& c) { c.data.item_column = nul; }},
      {"data.rating_column", [](Config& c) { c.data.rating_column = nul; }},
      {"data.timestamp_column", [](Config& c) { c.data.timestamp_column = nul; }},
      {"data.max_bytes", [](Config& c) { c.data.max_bytes = 0; }},
      {"data.max_nodes", [](Config& c) { c.data.max_nodes = 2'147'483'647; }},
      {"data.max_categories", [](Config& c) { c.data.max_categories = 0; }},
      {"data.max_feature_bytes", [](Config& c) { c.data.max_feature_bytes = 0; }},
      {"model.kind", [](Config& c) { c.model.kind = static_cast<ModelKind>(99); }},
      {"ease.l2", [](Config& c) { c.model.ease.l2 = 0.0; }},
      {"graph_filter.rank", [](Config& c) { c.model.graph_filter.rank = 0; }},
      {"graph_filter.alpha", [](Config& c) { c.model.graph_filter.alpha = -0.1; }},
      {"model.width", [](Config& c) { c.model.width = 65537; }},
      {"model.layers", [](Config& c) { c.model.layers = 101; }},
      {"model.init", [](Config& c) { c.model.init = static_cast<EmbeddingInit>(99); }},
      {"model.init_std", [](Config& c) { c.model.init_std = 0.0; }},
      {"model.hidden",
       [](Config& c) {
         c.model.hidden = {8, 0};
       }},
      {"model.inputs", [](Config& c) { c.model.inputs = static_cast<InputKind>(99); }},
      {"model.dropout", [](Config& c) { c.model.dropout = 1.0; }},
      {"model.message_dropout", [](Config& c) { c.model.message_dropout = 1.0; }},
      {"loss.kind", [](Config& c) { c.loss.kind = static_cast<LossKind>(99); }},
      {"loss.l2", [](Config& c) { c.l2 = -1e-9; }},
      {"loss.temperature", [](Config& c) { c.loss.softmax.temperature = 0.0; }},
      {"loss.negative_weight", [](Config& c) { c.loss.softmax.negative_weight = -1.0; }},
      {"loss.negatives", [](Config& c) { c.loss.negatives = static_cast<SoftmaxNegatives>(99); }},
      {"loss.margin", [](Config& c) { c.loss.margin = 1.1; }},
      {"loss.uniformity_weight", [](Config& c) { c.loss.uniformity_weight = -1.0; }},
      {"propagation.kind",
       [](Config& c) { c.model.propagation.kind = static_cast<PropagationKind>(99); }},
      {"propagation.alpha", [](Config& c) { c.model.propagation.alpha = 10.1; }},
      {"propagation.beta", [](Config& c) { c.model.propagation.beta = -10.1; }},
      {"propagation.gamma", [](Config& c) { c.model.propagation.gamma = 1.0; }},
      {"loss.k", [](Config& c) { c.loss.at_k.k = 0; }},
      {"loss.weight_temperature", [](Config& c) { c.loss.at_k.weight_temperature = 0.0; }},
      {"loss.refresh_every", [](Config& c) { c.loss.at_k.refresh_every = 0; }},
      {"contrast.kind", [](Config& c) { c.model.contrast.kind = static_cast<ContrastKind>(99); }},
      {"contrast.weight", [](Config& c) { c.model.contrast.weight = -1.0; }},
      {"contrast.temperature", [](Config& c) { c.model.contrast.temperature = 0.0; }},
      {"contrast.magnitude", [](Config& c) { c.model.contrast.magnitude = -1.0; }},
      {"contrast.view_layer", [](Config& c) { c.model.contrast.layer = 0; }},
      {"loss.mask", [](Config& c) { c.loss.softmax.mask = static_cast<SoftmaxMask>(99); }},
      {"loss.popularity_correction",
       [](Config& c) { c.loss.softmax.popularity_correction = 100.1; }},
      {"sampling.positives",
       [](Config& c) { c.sampling.positives = static_cast<PositiveSampling>(99); }},
      {"sampling.negatives",
       [](Config& c) { c.sampling.negatives = static_cast<NegativeSampling>(99); }},
      {"sampling.popularity_exponent", [](Config& c) { c.sampling.popularity_exponent = 100.1; }},
      {"sampling.popularity_tries", [](Config& c) { c.sampling.popularity_tries = 1001; }},
      {"sampling.negatives_per_positive",
       [](Config& c) { c.sampling.negatives_per_positive = 1001; }},
      {"optimizer.kind", [](Config& c) { c.optimizer.kind = static_cast<OptimizerKind>(99); }},
      {"optimizer.learning_rate", [](Config& c) { c.optimizer.adam.learning_rate = 0.0; }},
      {"optimizer.weight_decay", [](Config& c) { c.optimizer.adam.weight_decay = -1.0; }},
      {"optimizer.beta1", [](Config& c) { c.optimizer.adam.beta1 = 1.0; }},
      {"optimizer.beta2", [](Config& c) { c.optimizer.adam.beta2 = 1.0; }},
      {"optimizer.epsilon", [](Config& c) { c.optimizer.adam.epsilon = 0.0; }},
      {"optimizer.momentum", [](Config& c) { c.optimizer.sgd.momentum = 1.0; }},
      {"train.epochs", [](Config& c) { c.epochs = 1'000'000'001; }},
      {"train.batch_size", [](Config& c) { c.batch_size = 1 << 30; }},
      {"train.seed", [](Config& c) { c.seed = Seed{std::uint64_t{1} << 63}; }},
      {"train.evaluate_every", [](Config& c) { c.evaluate_every = -1; }},
      {"train.patience", [](Config& c) { c.patience = -1; }},
      {"train.metric", [](Config& c) { c.metric = "f1@20"; }},
      {"train.select_on", [](Config& c) { c.select_on = static_cast<SelectionSplit>(99); }},
      {"train.on_nan", [](Config& c) { c.on_nan = static_cast<OnNan>(99); }},
      {"train.max_rollbacks", [](Config& c) { c.max_rollbacks = 101; }},
      {"train.device", [](Config& c) { c.device = "gpu"; }},
      {"train.threads", [](Config& c) { c.threads = 4097; }},
      {"train.precision", [](Config& c) { c.model.gather = static_cast<GatherPrecision>(99); }},
      {"train.reproducibility",
       [](Config& c) { c.reproducibility = static_cast<Reproducibility>(99); }},
      {"evaluation.ks",
       [](Config& c) {
         c.evaluation.ks = {20, 20};
       }},
      {"evaluation.score", [](Config& c) { c.evaluation.score = static_cast<ScoreKind>(99); }},
      {"monitor.on_collapse",
       [](Config& c) { c.monitor.on_collapse = static_cast<CollapseAction>(99); }},
      {"monitor.every", [](Config& c) { c.monitor.every = -1; }},
      {"monitor.max_norm", [](Config& c) { c.monitor.max_norm = 0.0; }},
      {"monitor.max_mean_cosine", [](Config& c) { c.monitor.max_mean_cosine = 1.1; }},
      {"monitor.min_rank", [](Config& c) { c.monitor.min_rank = -0.1; }},
      {"checkpoint.every_epochs", [](Config& c) { c.checkpoint.every_epochs = -1; }},
      {"checkpoint.every_minutes", [](Config& c) { c.checkpoint.every_minutes = -1.0; }},
      {"checkpoint.keep", [](Config& c) { c.checkpoint.keep = 0; }},
      {"log.tensorboard", [](Config& c) { c.log.tensorboard = static_cast<Switch>(99); }},
  };
  return all;
}

TEST(ConfigTable, ValidateRefusesAValueOutsideOfEachRange) {
  EXPECT_EQ(invalid_fields().size(), config_keys().size());
  for (const ConfigKey& key : config_keys()) {
    const auto field = invalid_fields().find(key.key);
    ASSERT_NE(field, invalid_fields().end()) << key.key << " has no invalid value in this test";
    Config config;
    field->second(config);
    EXPECT_THAT(
        complaint([&] { validate(config); }),
        AllOf(StartsWith(key.key + ": found "), HasSubstr(", expected "), Not(EndsWith("."))));
  }
}

TEST(ConfigTable, GivesEachKeyItsRuleForResuming) {
  std::map<OnResume, std::set<std::string>> keys;
  for (const ConfigKey& key : config_keys()) keys[key.resume].insert(key.key);
  EXPECT_EQ(
      keys[OnResume::kFixed],
      (std::set<std::string>{"data.split",         "data.test_fraction",    "data.valid_fraction",
                             "data.split_seed",    "data.k_core",           "data.min_rating",
                             "data.format",        "data.separator",        "data.header",
                             "data.encoding",      "data.user_column",      "data.item_column",
                             "data.rating_column", "data.timestamp_column", "model.kind",
                             "model.width",        "model.layers",          "model.hidden",
                             "model.inputs",       "optimizer.kind",        "optimizer.momentum",
                             "contrast.kind",      "propagation.kind",      "propagation.alpha",
                             "propagation.beta",   "propagation.gamma",     "ease.l2",
                             "graph_filter.rank",  "graph_filter.alpha"}));
  EXPECT_EQ(keys[OnResume::kBetweenEpochs],
            (std::set<std::string>{"train.batch_size", "train.seed", "loss.kind", "loss.negatives",
                                   "sampling.positives", "sampling.negatives",
                                   "sampling.popularity_exponent", "sampling.popularity_tries",
                                   "sampling.negatives_per_positive"}));
  EXPECT_EQ(keys[OnResume::kNewSelection],
            (std::set<std::string>{"train.metric", "train.select_on", "evaluation.score"}));
  EXPECT_EQ(keys[OnResume::kChangesResult], (std::set<std::string>{"model.init",
                                                                   "model.init_std",
                                                                   "model.dropout",
                                                                   "model.message_dropout",
                                                                   "loss.l2",
                                                                   "loss.temperature",
                                                                   "loss.negative_weight",
                                                                   "loss.mask",
                                                                   "loss.popularity_correction",
                                                                   "loss.margin",
                                                                   "loss.uniformity_weight",
                                                                   "loss.k",
                                                                   "loss.weight_temperature",
                                                                   "loss.refresh_every",
                                                                   "contrast.weight",
                                                                   "contrast.temperature",
                                                                   "contrast.magnitude",
                                                                   "contrast.view_layer",
                                                                   "optimizer.learning_rate",
                                                                   "optimizer.weight_decay",
                                                                   "optimizer.beta1",
                                                                   "optimizer.beta2",
                                                                   "optimizer.epsilon",
                                                                   "train.device",
                                                                   "train.precision",
                                                                   "train.reproducibility"}));
}

TEST(Synonyms, LeadToKeysThatExist) {
  std::set<std::string> keys;
  std::set<std::string> names;
  for (const ConfigKey& key : config_keys()) {
    keys.insert(key.key);
    names.insert(plain_word(key.key.substr(key.key.find('.') + 1)));
  }
  for (const Synonyms& row : synonyms()) {
    EXPECT_TRUE(keys.contains(std::string(row.key))) << row.key;
    std::istringstream words{std::string(row.words)};
    for (std::string word; words >> word;) {
      EXPECT_THAT(keys_meant_by(word), Contains(row.key)) << word;
      // The name of a key takes precedence: such a synonym would never be found.
      EXPECT_FALSE(names.contains(plain_word(word))) << word;
    }
  }
}

TEST(Synonyms, AreFoundHoweverTheyAreWritten) {
  const auto suggestion = [](std::string_view key) {
    const std::string text = complaint([&] {
      Config config;
      set_config(config, key, "1");
    });
    return text.substr(text.find("mean "));
  };
  EXPECT_EQ(suggestion("optimizer.lr"), "mean optimizer.learning_rate?");
  EXPECT_EQ(suggestion("lr"), "mean optimizer.learning_rate?");
  EXPECT_EQ(suggestion("train.LR"), "mean optimizer.learning_rate?");
  EXPECT_EQ(suggestion("model.embedding_size"), "mean model.width?");
  EXPECT_EQ(suggestion("embeddingSize"), "mean model.width?");
  EXPECT_EQ(suggestion("train.n-epochs"), "mean train.epochs?");
  EXPECT_EQ(suggestion("train.learning_rate"), "mean optimizer.learning_rate?");
  EXPECT_EQ(suggestion("decay"), "mean loss.l2 or optimizer.weight_decay?");
  EXPECT_EQ(suggestion("optimizer.decay"), "mean optimizer.weight_decay?");
  EXPECT_EQ(suggestion("optimizer.name"), "mean optimizer.kind?");
  EXPECT_EQ(suggestion("model.reg_weight"), "mean loss.l2 or ease.l2?");
  EXPECT_EQ(suggestion("ease.lambda"), "mean ease.l2?");
  EXPECT_EQ(suggestion("ease.reg_weight"), "mean ease.l2?");
  EXPECT_EQ(suggestion("graph_filter.n_components"), "mean graph_filter.rank?");
  // SELFRec
  EXPECT_EQ(suggestion("embedding.size"), "mean model.width?");
  EXPECT_EQ(suggestion("learning.rate"), "mean optimizer.learning_rate?");
  EXPECT_EQ(suggestion("max.epoch"), "mean train.epochs?");
  EXPECT_EQ(suggestion("reg.lambda"), "mean loss.l2 or ease.l2?");
}

}  // namespace
}  // namespace tern
