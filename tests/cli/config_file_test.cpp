// Configuration in files: TOML in and out, exactly, and every message with file and line.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <fstream>
#include <limits>
#include <random>
#include <string>

#include "tern/config.hpp"
#include "tern/error.hpp"
#include "tests/support/temporary_directory.hpp"

namespace tern {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class ConfigFile : public testing::Test {
 protected:
  Config read(const std::string& text, Config start = {}) const {
    std::ofstream(path_, std::ios::binary) << text;
    read_config(start, path_);
    return start;
  }
  // The message of read_config() on a file with this text, without the file's name.
  std::string complaint_about(const std::string& text) const {
    try {
      read(text);
    } catch (const ConfigError& error) {
      const std::string what = error.what();
      EXPECT_THAT(what, StartsWith(path_.string() + ":"));
      EXPECT_THAT(what, Not(HasSubstr("\n")));
      return what.substr(path_.string().size() + 1);
    }
    return "";
  }

  const test::TemporaryDirectory directory_;
  const std::filesystem::path path_ = directory_ / "config.toml";
};

TEST_F(ConfigFile, IsReadOverWhatIsThere) {
  Config start;
  start.epochs = 7;
  start.model.width = 16;
  const Config config = read(
      "# a comment\n"
      "[train]\n"
      "epochs = 3\n"
      "[model]\n"
      "[evaluation]\n"
      "ks = [1, 5]\n",
      start);
  EXPECT_EQ(config.epochs, 3);
  EXPECT_EQ(config.model.width, 16);
  EXPECT_EQ(config.evaluation.ks, (std::vector<int>{1, 5}));
  EXPECT_EQ(write_config(read("train.epochs = 3\nmodel = {width = 16}\n")),
            write_config(read("[model]\r\nwidth = 16\r\n[train]\r\nepochs = 3\r\n")));
  EXPECT_EQ(write_config(read("")), write_config(Config{}));
  EXPECT_EQ(read("\xEF\xBB\xBF[train]\nepochs = 9\n").epochs, 9);  // with a byte order mark
}

TEST_F(ConfigFile, ErrorsNameTheLine) {
  EXPECT_THAT(complaint_about("[train]\nepochs = 3\nepoch = 4\n"),
              AllOf(StartsWith("3: unknown key \"train.epoch\""), HasSubstr("train.epochs?")));
  EXPECT_THAT(complaint_about("\n\n[trian]\nepochs = 4\n"),
              AllOf(StartsWith("4: "), HasSubstr("mean train.epochs?")));
  EXPECT_THAT(complaint_about("[model]\nwidth = \"64\"\n"),
              StartsWith("2: model.width: found the string \"64\", expected an integer"));
  EXPECT_THAT(complaint_about("[model]\nwidth = true\n"), HasSubstr("found true"));
  EXPECT_THAT(complaint_about("[model]\nwidth = 1979-05-27\n"), HasSubstr("a date or time"));
  EXPECT_THAT(complaint_about("[model]\nwidth = [64]\n"), HasSubstr("found a list of 1"));
  EXPECT_THAT(complaint_about("[model.width]\n"), StartsWith("1: model.width: found a table"));
  EXPECT_THAT(complaint_about("[model.width]\nx = 1\n"),
              StartsWith("2: unknown key \"model.width.x\""));
  EXPECT_THAT(complaint_about("[[train]]\nepochs = 3\n"), HasSubstr("\"train\" is a section"));
  EXPECT_THAT(complaint_about("\ntrain = 3\n"), StartsWith("2: \"train\" is a section"));
  EXPECT_THAT(complaint_about("[unknown]\n"), StartsWith("1: unknown key \"unknown\""));
  EXPECT_THAT(complaint_about("[train]\nepochs = \n"), StartsWith("2: "));
  EXPECT_THAT(complaint_about("[train]\nepochs = 3\nepochs = 4\n"), StartsWith("3: "));
  EXPECT_THAT(complaint_about("[train\n"), StartsWith("1: "));
  EXPECT_THAT(complaint_about("epochs"), StartsWith("1: "));
  EXPECT_THAT(complaint_about(std::string("a\0b", 3)), StartsWith("1: "));
  EXPECT_THAT(complaint_about("[train]\nmetric = \"\xff\"\n"), StartsWith("2: "));
  EXPECT_THAT(complaint_about("[evaluation]\nks = " + std::string(100000, '[')), StartsWith("2: "));
}

TEST_F(ConfigFile, AKeyOfAnEarlierVersionIsIgnoredWithANote) {
  std::ofstream(path_) << "[monitor]\nmin_rank_share = \"any\"\nmax_norm = 5.0\n";
  Config config;
  std::vector<std::string> notes;
  read_config(config, path_, &notes);
  EXPECT_EQ(config.monitor.max_norm, 5.0);
  EXPECT_EQ(config.monitor.min_rank, Config{}.monitor.min_rank);
  EXPECT_THAT(notes, testing::ElementsAre(
                         AllOf(StartsWith(path_.string() + ":2: monitor.min_rank_share is ignored"),
                               HasSubstr("monitor.min_rank ("))));
  EXPECT_NO_THROW(read_config(config, path_));
}

TEST_F(ConfigFile, AnErrorLeavesTheConfigurationAlone) {
  Config config;
  std::ofstream(path_) << "[train]\nepochs = 3\n[model]\nwidth = 0\n";
  EXPECT_THROW(read_config(config, path_), ConfigError);
  EXPECT_EQ(write_config(config), write_config(Config{}));
}

TEST_F(ConfigFile, MissingOrUnreadableIsAnError) {
  Config config;
  const auto message = [&](const std::filesystem::path& path) -> std::string {
    try {
      read_config(config, path);
    } catch (const ConfigError& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_THAT(message(path_), AllOf(HasSubstr(path_.string()), HasSubstr("No such file")));
  EXPECT_THAT(message(path_.parent_path()), HasSubstr("found a directory, expected a file"));
  EXPECT_THAT(message("/dev/zero"), HasSubstr("longer than 1048576 bytes"));
}

TEST_F(ConfigFile, RoundTripIsExact) {
  Config config;
  config.data_path = "/a \"b\"\\c\n\t\x01 d\x7f \u00e9\u20ac\U0001F426 [x] #";
  config.data.split = SplitMethod::kTime;
  config.data.test_fraction = 0.1 + 0.2;
  config.data.valid_fraction = std::nextafter(1.0, 0.0);
  config.data.split_seed = Seed{std::numeric_limits<std::int64_t>::max()};
  config.data.min_rating = -3.0;
  config.data.user_column = "user id";
  config.data.item_column = "3";
  config.model.kind = ModelKind::kMatrixFactorization;
  config.model.width = 33;
  config.model.init_std = std::numeric_limits<double>::denorm_min();
  config.l2 = std::numeric_limits<double>::max();
  config.loss.kind = LossKind::kSoftmaxAtK;
  config.loss.at_k = {.k = 7, .weight_temperature = 0.1 + 0.2, .refresh_every = 11};
  config.sampling.positives = PositiveSampling::kInteraction;
  config.sampling.negatives = NegativeSampling::kPopularity;
  config.optimizer.adam.learning_rate = 1.0 / 3.0;
  config.optimizer.adam.beta1 = 0.0;
  config.optimizer.sgd.momentum = 0.9;
  config.evaluation.ks = {100, 1, 7};
  config.epochs = 1;
  config.monitor.min_rank = 0.75;
  config.seed = Seed{12345678901234567};
  config.metric = "map@7";
  config.select_on = SelectionSplit::kTest;
  config.device = "cuda:3";
  config.threads = 2;
  const Config back = read(write_config(config));
  EXPECT_EQ(write_config(back), write_config(config));
  EXPECT_EQ(back.data_path, config.data_path);
  EXPECT_EQ(back.data.test_fraction, config.data.test_fraction);
  EXPECT_EQ(back.data.valid_fraction, config.data.valid_fraction);
  EXPECT_EQ(back.data.split_seed, config.data.split_seed);
  EXPECT_EQ(back.data.min_rating, config.data.min_rating);
  EXPECT_EQ(back.data.item_column, "3");
  EXPECT_EQ(back.model.init_std, config.model.init_std);
  EXPECT_EQ(back.l2, config.l2);
  EXPECT_EQ(back.loss.kind, LossKind::kSoftmaxAtK);
  EXPECT_EQ(back.loss.at_k.weight_temperature, config.loss.at_k.weight_temperature);
  EXPECT_EQ(back.loss.at_k.refresh_every, 11);
  EXPECT_EQ(back.optimizer.adam.learning_rate, config.optimizer.adam.learning_rate);
  EXPECT_EQ(back.evaluation.ks, config.evaluation.ks);
  EXPECT_EQ(back.monitor.min_rank, 0.75);
  EXPECT_EQ(back.seed, config.seed);
  EXPECT_EQ(back.select_on, config.select_on);
}

TEST_F(ConfigFile, EveryDoubleSurvives) {
  std::mt19937_64 random(1);
  int tried = 0;
  while (tried < 300) {
    const double value = std::bit_cast<double>(random() & ~(std::uint64_t{1} << 63));
    if (!std::isfinite(value) || value == 0.0) continue;
    ++tried;
    Config config;
    config.l2 = value;
    EXPECT_EQ(std::bit_cast<std::uint64_t>(read(write_config(config)).l2),
              std::bit_cast<std::uint64_t>(value));
  }
}

TEST(WriteConfig, RefusesWhatTomlCannotHold) {
  Config config;
  config.data_path = "/data/\xff";
  EXPECT_THROW(write_config(config), ConfigError);
  config.data_path = "/data/\xed\xa0\x80";  // a surrogate
  EXPECT_THROW(write_config(config), ConfigError);
  config.data_path = "/data";
  config.seed = Seed{std::numeric_limits<std::uint64_t>::max()};
  EXPECT_THROW(write_config(config), ConfigError);
  EXPECT_THROW(validate(config), ConfigError);
}

}  // namespace
}  // namespace tern
