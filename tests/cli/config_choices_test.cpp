// Keys that take one name of several: each name is set, written and read again, others are refused.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

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

TEST(ConfigChoices, OfTheInitialEmbeddingsReachTheField) {
  Config config;
  EXPECT_EQ(config.model.init, EmbeddingInit::kNormal);
  set_config(config, "model.init", "xavier");
  EXPECT_EQ(config.model.init, EmbeddingInit::kXavier);
  set_config(config, "model.init", "normal");
  EXPECT_EQ(config.model.init, EmbeddingInit::kNormal);
  try {
    set_config(config, "model.init", "glorot");
    FAIL() << "glorot is no name of the key";
  } catch (const ConfigError& error) {
    EXPECT_STREQ(error.what(),
                 "model.init: found the string \"glorot\", expected one of normal|xavier");
  }
}

}  // namespace
}  // namespace tern
