// Keys that take one name of several: each name is set, written and read again, others are refused.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "host/config/value_synonyms.hpp"
#include "tern/config.hpp"
#include "tern/error.hpp"
#include "tests/support/temporary_directory.hpp"

namespace tern {
namespace {

/// The names in a type such as "one of adam|sgd"; empty for types of another form.
std::vector<std::string> names_in(const std::string& type) {
  std::smatch found;
  if (!std::regex_match(type, found, std::regex("one of ([a-z0-9@-]+(\\|[a-z0-9@-]+)*)"))) {
    return {};
  }
  std::vector<std::string> names;
  std::istringstream text(found[1]);
  for (std::string name; std::getline(text, name, '|');) names.push_back(name);
  return names;
}

TEST(ConfigChoices, EachNameIsSetWrittenAndReadAgain) {
  const test::TemporaryDirectory directory;
  const std::filesystem::path file = directory / "config.toml";
  int keys = 0;
  for (const ConfigKey& key : config_keys()) {
    const std::vector<std::string> names = names_in(key.type);
    keys += names.empty() ? 0 : 1;
    for (const std::string& name : names) {
      Config config;
      set_config(config, key.key, name);
      const std::string text = write_config(config);
      const std::string line = key.key.substr(key.key.find('.') + 1) + " = \"" + name + "\"\n";
      EXPECT_THAT(text, testing::HasSubstr(line));
      std::ofstream(file) << text;
      Config back;
      read_config(back, file);
      EXPECT_EQ(write_config(back), text);
    }
  }
  EXPECT_GE(keys, 10) << "the form of the types has changed";
}

TEST(ConfigChoices, OfModelAndEvaluationReachTheirFields) {
  Config config;
  EXPECT_EQ(config.model.init, EmbeddingInit::kNormal);
  set_config(config, "model.init", "xavier");
  EXPECT_EQ(config.model.init, EmbeddingInit::kXavier);
  set_config(config, "model.init", "normal");
  EXPECT_EQ(config.model.init, EmbeddingInit::kNormal);
  set_config(config, "evaluation.score", "cosine");
  EXPECT_EQ(config.evaluation.score, ScoreKind::kCosine);
  try {
    set_config(config, "model.init", "glorot");
    FAIL() << "glorot is no name of the key";
  } catch (const ConfigError& error) {
    EXPECT_STREQ(
        error.what(),
        "model.init: found the string \"glorot\", expected one of normal|xavier: did you mean "
        "xavier?");
  }
}

/// The end of the message about a wrong value, from "did you mean" on; "" if it suggests nothing.
std::string suggestion(const std::string& key, const std::string& value) {
  try {
    Config config;
    set_config(config, key, value);
  } catch (const ConfigError& error) {
    const std::string text = error.what();
    const std::size_t at = text.find(": did you mean ");
    return at == std::string::npos ? "" : text.substr(at + 2);
  }
  return "no error";
}

TEST(ConfigChoices, AreSuggestedForOtherSpellingsAndNames) {
  EXPECT_EQ(suggestion("loss.kind", "SL@K"), "did you mean sl@k?");
  EXPECT_EQ(suggestion("model.kind", "LightGCN"), "did you mean lightgcn?");
  EXPECT_EQ(suggestion("model.kind", "GC-MC"), "did you mean gcmc?");
  EXPECT_EQ(suggestion("model.kind", "lightgnc"), "did you mean lightgcn?");
  EXPECT_EQ(suggestion("model.kind", "lgn"), "did you mean lightgcn?");
  EXPECT_EQ(suggestion("model.kind", "BPRMF"), "did you mean mf?");
  EXPECT_EQ(suggestion("model.kind", "GF-CF"), "did you mean graph_filter?");
  EXPECT_EQ(suggestion("model.kind", "lightgcnpp"), "did you mean propagation.kind = lightgcn++?");
  EXPECT_EQ(suggestion("model.kind", "LightGCN++"), "did you mean propagation.kind = lightgcn++?");
  EXPECT_EQ(suggestion("loss.kind", "InfoNCE"), "did you mean softmax?");
  EXPECT_EQ(suggestion("data.split", "cold_items"), "did you mean cold-items?");
  EXPECT_EQ(suggestion("optimizer.kind", "AdamW"), "did you mean adam?");
  EXPECT_EQ(suggestion("model.kind", "transformer"), "");
  EXPECT_EQ(suggestion("model.kind", "--"), "");
  EXPECT_EQ(suggestion("model.kind", "7"), "");
}

/// Whether the text sets keys: "a.b = c, d.e = f".
bool sets_keys(std::string_view text) {
  Config config;
  while (!text.empty()) {
    const std::string_view setting = text.substr(0, text.find(", "));
    const std::size_t equals = setting.find(" = ");
    if (equals == std::string_view::npos) return false;
    set_config(config, setting.substr(0, equals), setting.substr(equals + 3));
    text.remove_prefix(std::min(setting.size() + 2, text.size()));
  }
  return true;
}

TEST(ConfigChoices, SynonymsLeadToValuesThatExist) {
  for (const ValueSynonyms& row : value_synonyms()) {
    const std::string key(row.key);
    Config config;
    if (row.meaning.find(" = ") == std::string_view::npos) {
      EXPECT_NO_THROW(set_config(config, key, row.meaning)) << key << " = " << row.meaning;
    } else {
      EXPECT_TRUE(sets_keys(row.meaning)) << row.meaning;
    }
    std::istringstream words{std::string(row.words)};
    for (std::string word; words >> word;) {
      EXPECT_EQ(suggestion(key, word), "did you mean " + std::string(row.meaning) + "?") << word;
    }
  }
}

}  // namespace
}  // namespace tern
