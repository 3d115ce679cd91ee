// Configuration: the table of keys, how one is set, and every message about it that a user can see.

#include "tern/config.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <set>
#include <string>

#include "tern/error.hpp"

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

TEST(SetConfig, TakesTrueAndFalse) {
  Config config;
  set_config(config, "log.tensorboard", "true");
  EXPECT_EQ(config.log.tensorboard, Switch::kOn);
  EXPECT_THAT(write_config(config), HasSubstr("[log]\ntensorboard = true\n"));
  set_config(config, "log.tensorboard", "false");
  EXPECT_EQ(config.log.tensorboard, Switch::kOff);
  EXPECT_THAT(complaint("log.tensorboard", "1"), HasSubstr(", expected true or false"));
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
  // A file with a key of an earlier version is read; on a command line it can be corrected at once.
  EXPECT_THAT(complaint("monitor.min_rank_share", "0.1"),
              AllOf(StartsWith("the key \"monitor.min_rank_share\" is gone"),
                    HasSubstr("set monitor.min_rank (")));
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
            "lightgcn|mf|gcmc|ease|graph_filter: did you mean lightgcn?");
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
