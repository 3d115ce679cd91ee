// Configuration: the table of keys, TOML in and out, and every message that a user can see.

#include "tern/config.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <fstream>
#include <limits>
#include <random>
#include <set>
#include <string>

#include "tern/error.hpp"
#include "tests/support/temporary_directory.hpp"

namespace tern {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

// The message of set_config() on one value; empty if it accepts the value.
std::string complaint(std::string_view key, std::string_view value) {
  Config config;
  try {
    set_config(config, key, value);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "";
}

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

TEST(ConfigKeys, AreDistinctAndDescribed) {
  std::set<std::string> seen;
  for (const ConfigKey& key : config_keys()) {
    EXPECT_TRUE(seen.insert(key.key).second) << key.key;
    EXPECT_FALSE(key.help.empty()) << key.key;
    EXPECT_FALSE(key.type.empty()) << key.key;
    EXPECT_FALSE(key.default_value.empty()) << key.key;
  }
  for (const char* known : {"data.path", "model.width", "loss.l2", "sampling.negatives",
                            "optimizer.learning_rate", "train.epochs", "evaluation.ks"}) {
    EXPECT_TRUE(seen.contains(known)) << known;
  }
}

TEST(ConfigKeys, TakeTheirOwnDefaults) {
  const std::string defaults = write_config(Config{});
  for (const ConfigKey& key : config_keys()) {
    Config config;
    set_config(config, key.key, key.default_value);
    EXPECT_EQ(write_config(config), defaults) << key.key;
  }
}

TEST(SetConfig, AcceptsSeparatorsThatNoIdHas) {
  Config config;
  for (const char* separator :
       {"auto", "tab", "comma", "semicolon", "pipe", "space", "::", ",", " ", "^", "|"}) {
    set_config(config, "data.separator", separator);
    EXPECT_EQ(config.data.separator, separator);
    Config again;
    set_config(again, "data.separator", "\"" + config.data.separator + "\"");
    EXPECT_EQ(again.data.separator, separator);
  }
  set_config(config, "data.separator", "\"\\t\"");
  EXPECT_EQ(config.data.separator, "\t");
  for (const char* bad : {"", "a", "7", "ab", "\"\\n\"", "'\"'", "é", ",,"}) {
    EXPECT_THROW(set_config(config, "data.separator", bad), ConfigError) << bad;
  }
}

TEST(SetConfig, ReachesTheField) {
  Config config;
  set_config(config, "data.path", "some/where");
  set_config(config, "data.split", "leave-one-out");
  set_config(config, "data.test_fraction", "0.25");
  set_config(config, "data.split_seed", "9223372036854775807");
  set_config(config, "data.k_core", "5");
  set_config(config, "data.min_rating", "3.5");
  set_config(config, "data.user_column", "2");
  set_config(config, "data.format", "jsonl");
  set_config(config, "data.separator", ";");
  set_config(config, "data.header", "no");
  set_config(config, "data.encoding", "latin-1");
  set_config(config, "model.kind", "mf");
  set_config(config, "model.width", "128");
  set_config(config, "model.layers", "2");
  set_config(config, "loss.l2", "1e-3");
  set_config(config, "loss.kind", "sl@k");
  set_config(config, "loss.k", "10");
  set_config(config, "loss.weight_temperature", "2.25");
  set_config(config, "loss.refresh_every", "3");
  set_config(config, "sampling.positives", "interaction");
  set_config(config, "sampling.negatives", "popularity");
  set_config(config, "sampling.popularity_exponent", "1");
  set_config(config, "train.epochs", "1_000");
  set_config(config, "train.metric", "recall@10");
  set_config(config, "train.select_on", "test");
  set_config(config, "train.device", "cuda:1");
  set_config(config, "evaluation.ks", "[5, 50]");
  EXPECT_EQ(config.data_path, "some/where");
  EXPECT_EQ(config.data.split, SplitMethod::kLeaveOneOut);
  EXPECT_EQ(config.data.test_fraction, 0.25);
  EXPECT_EQ(config.data.split_seed.value, 9223372036854775807u);
  EXPECT_EQ(config.data.k_core, 5);
  EXPECT_EQ(config.data.min_rating, 3.5);
  EXPECT_EQ(config.data.user_column, "2");
  EXPECT_EQ(config.data.format, DataFormat::kJsonLines);
  EXPECT_EQ(config.data.separator, ";");
  EXPECT_EQ(config.data.header, HeaderRow::kNo);
  EXPECT_EQ(config.data.encoding, TextEncoding::kLatin1);
  EXPECT_EQ(config.model.kind, ModelKind::kMatrixFactorization);
  EXPECT_EQ(config.model.width, 128);
  EXPECT_EQ(config.model.layers, 2);
  EXPECT_EQ(config.l2, 1e-3);
  EXPECT_EQ(config.loss.kind, LossKind::kSoftmaxAtK);
  EXPECT_EQ(config.loss.at_k.k, 10);
  EXPECT_EQ(config.loss.at_k.weight_temperature, 2.25);
  EXPECT_EQ(config.loss.at_k.refresh_every, 3);
  EXPECT_EQ(config.sampling.positives, PositiveSampling::kInteraction);
  EXPECT_EQ(config.sampling.negatives, NegativeSampling::kPopularity);
  EXPECT_EQ(config.sampling.popularity_exponent, 1.0);
  EXPECT_EQ(config.epochs, 1000);
  EXPECT_EQ(config.metric, "recall@10");
  EXPECT_EQ(config.select_on, SelectionSplit::kTest);
  EXPECT_EQ(config.device, "cuda:1");
  EXPECT_EQ(config.evaluation.ks, (std::vector<int>{5, 50}));

  EXPECT_FALSE(config.data.valid_fraction.has_value());
  set_config(config, "data.valid_fraction", "0.5");
  EXPECT_EQ(config.data.valid_fraction, 0.5);
  set_config(config, "data.valid_fraction", "auto");
  EXPECT_FALSE(config.data.valid_fraction.has_value());
  set_config(config, "data.min_rating", "none");
  EXPECT_FALSE(config.data.min_rating.has_value());
  set_config(config, "evaluation.ks", "10,20");
  EXPECT_EQ(config.evaluation.ks, (std::vector<int>{10, 20}));
  set_config(config, "data.path", "\"quoted \\\"name\\\"\"");
  EXPECT_EQ(config.data_path, "quoted \"name\"");
  set_config(config, "data.path", "");
  EXPECT_EQ(config.data_path, "");
}

TEST(SetConfig, ReachesModelsWithoutTraining) {
  Config config;
  set_config(config, "model.kind", "ease");
  EXPECT_EQ(config.model.kind, ModelKind::kEase);
  set_config(config, "model.kind", "graph_filter");
  EXPECT_EQ(config.model.kind, ModelKind::kGraphFilter);
  set_config(config, "ease.l2", "0.5");
  set_config(config, "graph_filter.rank", "32");
  set_config(config, "graph_filter.alpha", "0");
  EXPECT_EQ(config.model.ease.l2, 0.5);
  EXPECT_EQ(config.model.graph_filter.rank, 32);
  EXPECT_EQ(config.model.graph_filter.alpha, 0.0);
  EXPECT_THAT(write_config(config),
              HasSubstr("[ease]\nl2 = 0.5\n\n[graph_filter]\nrank = 32\nalpha = 0.0\n"));
  EXPECT_THAT(complaint("ease.l2", "0"), HasSubstr("expected a number above 0"));
  EXPECT_THAT(complaint("graph_filter.rank", "0"), HasSubstr("expected an integer from 1"));
  EXPECT_THAT(complaint("graph_filter.alpha", "-1"), HasSubstr("expected a number of 0 or more"));
}

TEST(SetConfig, NumbersSharedByTheOptimisersAreSetForBoth) {
  for (const bool kind_first : {true, false}) {
    Config config;
    if (kind_first) set_config(config, "optimizer.kind", "sgd");
    set_config(config, "optimizer.learning_rate", "0.5");
    if (!kind_first) set_config(config, "optimizer.kind", "sgd");
    EXPECT_EQ(config.optimizer.kind, OptimizerKind::kSgd);
    EXPECT_EQ(config.optimizer.sgd.learning_rate, 0.5);
    EXPECT_THAT(write_config(config), HasSubstr("learning_rate = 0.5\n"));
  }
  Config untouched;
  set_config(untouched, "optimizer.kind", "sgd");
  EXPECT_EQ(untouched.optimizer.sgd.learning_rate, SgdOptions{}.learning_rate);
}

TEST(SetConfig, NamesTheNearestKey) {
  EXPECT_THAT(complaint("train.epoch", "3"),
              AllOf(HasSubstr("unknown key \"train.epoch\""), HasSubstr("mean train.epochs?")));
  EXPECT_THAT(complaint("epochs", "3"), HasSubstr("mean train.epochs?"));
  EXPECT_THAT(complaint("model.widht", "3"), HasSubstr("mean model.width?"));
  EXPECT_THAT(complaint("model.batch_size", "3"), HasSubstr("mean train.batch_size?"));
  EXPECT_THAT(complaint("optimizer.lerning_rate", "3"), HasSubstr("optimizer.learning_rate?"));
  EXPECT_THAT(complaint("train.Patience", "3"), HasSubstr("mean train.patience?"));
  EXPECT_THAT(complaint("kind", "mf"),
              HasSubstr("mean model.kind or propagation.kind or loss.kind or contrast.kind or "
                        "optimizer.kind?"));
  EXPECT_THAT(complaint("", "3"), HasSubstr("unknown key \"\""));
  EXPECT_THAT(complaint(std::string(1 << 20, 'x'), "3"), HasSubstr("unknown key \"xxx"));
  EXPECT_THAT(complaint("a\nb\x1b[31m", "3"), AllOf(Not(HasSubstr("\n")), Not(HasSubstr("\x1b"))));
}

TEST(SetConfig, ReachesWhatGcMcReads) {
  Config config;
  set_config(config, "data.split", "cold-items");
  set_config(config, "model.kind", "gcmc");
  set_config(config, "model.hidden", "[64, 16, 64]");
  set_config(config, "model.inputs", "both");
  set_config(config, "model.dropout", "0.5");
  set_config(config, "model.message_dropout", "0.25");
  EXPECT_EQ(config.data.split, SplitMethod::kColdItems);
  EXPECT_EQ(config.model.kind, ModelKind::kGcMc);
  EXPECT_EQ(config.model.hidden, (std::vector<int>{64, 16, 64}));  // in order, with repeats
  EXPECT_EQ(config.model.inputs, InputKind::kBoth);
  EXPECT_EQ(config.model.dropout, 0.5);
  EXPECT_EQ(config.model.message_dropout, 0.25);
  EXPECT_THAT(complaint("model.hidden", "[8, 0]"), HasSubstr("model.hidden: found the integer 0"));
  EXPECT_THAT(complaint("model.dropout", "1"), HasSubstr("model.dropout: found"));
  EXPECT_THAT(complaint("model.message_dropout", "-0.1"),
              HasSubstr("model.message_dropout: found"));
  EXPECT_THAT(complaint("model.inputs", "id"), HasSubstr("expected one of auto|features|ids|both"));
  set_config(config, "model.hidden", "[]");
  EXPECT_TRUE(config.model.hidden.empty());
}

TEST(SetConfig, SaysWhatWasFoundAndWhatIsAllowed) {
  EXPECT_EQ(complaint("model.width", "0"),
            "model.width: found the integer 0, expected an integer from 1 to 65536");
  EXPECT_EQ(complaint("train.epochs", "-3"),
            "train.epochs: found the integer -3, expected an integer from 0 to 1000000000");
  EXPECT_EQ(complaint("train.epochs", "ten"),
            "train.epochs: found the string \"ten\", expected an integer from 0 to 1000000000");
  EXPECT_EQ(complaint("train.epochs", "3.5"),
            "train.epochs: found the number 3.5, expected an integer from 0 to 1000000000");
  EXPECT_EQ(complaint("data.test_fraction", "1.5"),
            "data.test_fraction: found the number 1.5, expected a number from 0 to below 1");
  EXPECT_EQ(complaint("data.valid_fraction", "1.5"),
            "data.valid_fraction: found the number 1.5, expected a number from 0 to below 1, or "
            "\"auto\"");
  EXPECT_EQ(complaint("data.test_fraction", "1"),
            "data.test_fraction: found the integer 1, expected a number from 0 to below 1");
  EXPECT_EQ(complaint("optimizer.learning_rate", "0"),
            "optimizer.learning_rate: found the integer 0, expected a number above 0");
  EXPECT_EQ(complaint("loss.l2", "-1e-4"),
            "loss.l2: found the number -1e-4, expected a number of 0 or more");
  EXPECT_EQ(complaint("loss.l2", "nan"),
            "loss.l2: found the number nan, expected a number of 0 or more");
  EXPECT_EQ(complaint("loss.l2", "inf"),
            "loss.l2: found the number inf, expected a number of 0 or more");
  EXPECT_EQ(complaint("model.kind", "ligthgcn"),
            "model.kind: found the string \"ligthgcn\", expected one of "
            "lightgcn|mf|gcmc|ease|graph_filter");
  EXPECT_EQ(complaint("data.min_rating", "low"),
            "data.min_rating: found the string \"low\", expected a number, or \"none\"");
  EXPECT_THAT(complaint("evaluation.ks", "10,10"), HasSubstr("found 10 twice"));
  EXPECT_THAT(complaint("evaluation.ks", "[]"), HasSubstr("found a list of 0, expected a list"));
  EXPECT_THAT(complaint("evaluation.ks", "10,0"), HasSubstr("found the integer 0"));
  EXPECT_THAT(complaint("evaluation.ks", "10;20"), HasSubstr("found the string \"10;20\""));
  EXPECT_THAT(complaint("evaluation.ks", ""), HasSubstr("expected a list"));
  EXPECT_THAT(complaint("train.device", "gpu"), HasSubstr("auto|cpu|cuda|cuda:N|reference"));
  EXPECT_THAT(complaint("train.device", "cuda:-1"), HasSubstr("found the string \"cuda:-1\""));
  EXPECT_THAT(complaint("train.device", "cuda:"), HasSubstr("found the string"));
  EXPECT_THAT(complaint("train.metric", "f1@20"), HasSubstr("recall|precision|ndcg"));
  EXPECT_THAT(complaint("train.metric", "ndcg"), HasSubstr("found the string \"ndcg\""));
  EXPECT_THAT(complaint("train.seed", "9223372036854775808"), HasSubstr("expected an integer"));
  EXPECT_THAT(complaint("train.epochs", "5\ntrain.seed = 1"), HasSubstr("found the string"));
  EXPECT_THAT(complaint("train.epochs", ""), HasSubstr("found the string \"\""));
  EXPECT_THAT(complaint("data.path", std::string("a\0b", 3)), HasSubstr("expected a path"));
}

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
  // On a command line it can be corrected at once.
  EXPECT_THAT(complaint("monitor.min_rank_share", "0.1"),
              AllOf(StartsWith("the key \"monitor.min_rank_share\" is gone"),
                    HasSubstr("set monitor.min_rank (")));
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

TEST(Validate, ChecksEveryRangeAndWhatKeysMeanTogether) {
  EXPECT_NO_THROW(validate(Config{}));
  Config config;
  config.model.width = 0;
  EXPECT_THROW(validate(config), ConfigError);
  config = {};
  config.evaluation.ks = {};
  EXPECT_THROW(validate(config), ConfigError);
  config = {};
  config.metric = "recall@50";
  try {
    validate(config);
    FAIL() << "recall@50 is not measured with ks = [10, 20]";
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("recall@50"), HasSubstr("[10, 20]")));
  }
  config.evaluation.ks.push_back(50);
  EXPECT_NO_THROW(validate(config));
}

}  // namespace
}  // namespace tern
