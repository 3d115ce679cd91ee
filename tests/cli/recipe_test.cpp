#include <algorithm>
#include <set>
#include <sstream>
#include <string>

#include "host/config/recipes.hpp"
#include "tern/error.hpp"
#include "tests/cli/workspace.hpp"

namespace tern::test {
namespace {

using testing::HasSubstr;

TEST(Recipes, HaveNamesOfTheirOwnAndValidSettings) {
  std::set<std::string_view> names;
  for (const Recipe& recipe : recipes()) {
    EXPECT_TRUE(names.insert(recipe.name).second) << recipe.name;
    EXPECT_FALSE(recipe.summary.empty()) << recipe.name;
    Config config;
    apply_recipe(config, recipe.name);
    EXPECT_NO_THROW(validate(config)) << recipe.name;
    std::set<std::string_view> keys;
    for (const auto& [key, value] : recipe.settings) EXPECT_TRUE(keys.insert(key).second) << key;
  }
}

TEST(Recipes, MfSoftmaxHasThePublishedSettingsButTheRate) {
  Config config;
  apply_recipe(config, "mf-softmax");
  EXPECT_EQ(config.model.kind, ModelKind::kMatrixFactorization);
  EXPECT_EQ(config.loss.kind, LossKind::kSoftmax);
  EXPECT_EQ(config.loss.softmax.temperature, 0.08);
  EXPECT_EQ(config.loss.softmax.negative_weight, 1.22);
  EXPECT_EQ(config.loss.softmax.popularity_correction, 1.0);
  EXPECT_EQ(config.evaluation.score, ScoreKind::kCosine);
}

TEST(Recipes, SoftmaxHasThePublishedSettings) {
  Config config;
  config.epochs = 7;
  apply_recipe(config, "softmax");
  EXPECT_EQ(config.loss.kind, LossKind::kSoftmax);
  EXPECT_EQ(config.loss.softmax.temperature, 0.12);
  EXPECT_EQ(config.l2, 1e-5);
  EXPECT_EQ(config.model.layers, 1);
  EXPECT_EQ(config.model.init, EmbeddingInit::kXavier);
  EXPECT_EQ(config.sampling.positives, PositiveSampling::kInteraction);
  EXPECT_EQ(config.epochs, 7);  // what a recipe does not name stays
}

TEST(Recipes, LightGcnPlusPlusHasThePublishedSettings) {
  Config config;
  apply_recipe(config, "lightgcn++");
  validate(config);
  const PropagationOptions& propagation = config.model.propagation;
  EXPECT_EQ(propagation.kind, PropagationKind::kLightGcnPlusPlus);
  EXPECT_EQ(propagation.alpha, 0.6);
  EXPECT_EQ(propagation.beta, -0.1);
  EXPECT_EQ(propagation.gamma, 0.2);
  EXPECT_EQ(config.model.layers, 2);
  EXPECT_EQ(config.loss.kind, LossKind::kBpr);
  EXPECT_EQ(config.optimizer.adam.learning_rate, 1e-3);
  EXPECT_EQ(config.l2, 1e-4);
  EXPECT_EQ(config.batch_size, 2048);
}

TEST(Recipes, SlAtKIsSoftmaxWithWeights) {
  Config config;
  Config softmax;
  apply_recipe(config, "sl@k");
  apply_recipe(softmax, "softmax");
  EXPECT_EQ(config.loss.kind, LossKind::kSoftmaxAtK);
  EXPECT_EQ(config.loss.at_k.k, 20);
  EXPECT_GE(config.loss.at_k.weight_temperature, 0.5);  // where its authors search
  EXPECT_LE(config.loss.at_k.weight_temperature, 3.0);
  EXPECT_EQ(config.loss.at_k.refresh_every, 5);
  config.loss = softmax.loss;
  EXPECT_EQ(write_config(config), write_config(softmax));
}

TEST(Recipes, XSimGclHasThePublishedSettings) {
  Config config;
  apply_recipe(config, "xsimgcl");
  EXPECT_EQ(config.loss.kind, LossKind::kBpr);
  EXPECT_EQ(config.model.layers, 2);
  const ContrastOptions& contrast = config.model.contrast;
  EXPECT_EQ(contrast.kind, ContrastKind::kXSimGcl);
  EXPECT_EQ(contrast.weight, 0.2);
  EXPECT_EQ(contrast.temperature, 0.15);
  EXPECT_EQ(contrast.magnitude, 0.2);
  EXPECT_EQ(contrast.layer, 1);
}

TEST(Recipes, DirectAuHasThePublishedSettings) {
  Config config;
  apply_recipe(config, "mf-directau");
  EXPECT_EQ(config.loss.kind, LossKind::kDirectAu);
  EXPECT_EQ(config.loss.uniformity_weight, 1.0);
  EXPECT_EQ(config.l2, 0.0);
  EXPECT_EQ(config.optimizer.adam.weight_decay, 1e-6);
  EXPECT_EQ(config.optimizer.adam.learning_rate, 1e-3);
  EXPECT_EQ(config.batch_size, 1024);
  EXPECT_EQ(config.model.kind, ModelKind::kMatrixFactorization);
  apply_recipe(config, "directau");
  EXPECT_EQ(config.model.kind, ModelKind::kLightGcn);
  EXPECT_EQ(config.model.layers, 1);
}

TEST(Recipes, CclHasThePublishedMarginAndWeight) {
  Config config;
  apply_recipe(config, "ccl");
  EXPECT_EQ(config.loss.kind, LossKind::kCcl);
  EXPECT_EQ(config.loss.margin, 0.9);
  EXPECT_EQ(config.loss.softmax.negative_weight, 150);
  EXPECT_EQ(config.sampling.negatives_per_positive, 64);
  EXPECT_EQ(config.evaluation.score, ScoreKind::kCosine);
}

TEST(Recipes, AnUnknownNameGivesTheNearestAndAll) {
  Config config;
  try {
    apply_recipe(config, "softmx");
    FAIL() << "not refused";
  } catch (const ConfigError& error) {
    EXPECT_STREQ(error.what(),
                 "unknown recipe \"softmx\": did you mean softmax? Expected one of lightgcn, "
                 "lightgcn++, softmax, bsl, sl@k, "
                 "xsimgcl, mf-softmax, directau, mf-directau, ccl, auto");
  }
}

class RecipeOption : public Workspace {
 protected:
  Config trained(const std::vector<std::string>& more) {
    write_films();
    std::vector<std::string> all{"train", "films", "--out", "run", "--overwrite", "--epochs", "2"};
    all.insert(all.end(), more.begin(), more.end());
    const Outcome outcome = run(all);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    Config config;
    read_config(config, path("run/config.toml"));
    return config;
  }
};

TEST_F(RecipeOption, IsOverriddenByTheFileAndTheCommandLine) {
  write("c.toml", "[loss]\ntemperature = 0.3\nl2 = 1e-3\n");
  const Config config =
      trained({"--recipe", "bsl", "--config", "c.toml", "--set", "loss.l2=1e-6", "--model", "mf"});
  EXPECT_EQ(config.loss.kind, LossKind::kSoftmax);
  EXPECT_EQ(config.loss.softmax.negative_weight, 0.84);
  EXPECT_EQ(config.loss.softmax.temperature, 0.3);
  EXPECT_EQ(config.l2, 1e-6);
  EXPECT_EQ(config.model.kind, ModelKind::kMatrixFactorization);
  EXPECT_THAT(read("run/metrics.jsonl"), HasSubstr("\"softmax_loss\":"));
}

TEST_F(RecipeOption, IsListedInTheHelpAndRefusedIfUnknown) {
  const Outcome help = run({"train", "--help"});
  for (const Recipe& recipe : recipes()) {
    EXPECT_THAT(help.out, HasSubstr("\n  " + std::string(recipe.name) + "\n"));
  }
  EXPECT_THAT(help.out, HasSubstr("loss.temperature=0.12"));
  write_films();
  EXPECT_THAT(help.out, HasSubstr("tern inspect --recipe NAME"));
  const std::vector<std::vector<std::string>> nameless{
      {"train", "films", "--recipe"},
      {"train", "films", "--recipe", "--out", "run"},
      {"inspect", "--recipe"}};
  for (const std::vector<std::string>& command : nameless) {
    EXPECT_THAT(run(command), FailsAtOnceWith(2,
                                              "the name of the recipe is missing: expected one of "
                                              "lightgcn, lightgcn++, softmax"));
  }
  const Outcome outcome = run({"train", "films", "--recipe", "sotfmax"});
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_THAT(outcome.err,
              HasSubstr("unknown recipe \"sotfmax\": did you mean softmax? Expected one of"));
}

TEST_F(RecipeOption, IsPrintedAsAFileForConfig) {
  for (const Recipe& recipe : recipes()) {
    const std::string name(recipe.name);
    const Outcome printed = run({"inspect", "--recipe", name});
    EXPECT_EQ(printed.exit_code, 0) << printed.err;
    EXPECT_THAT(printed.out, testing::StartsWith("# " + name + ": "));
    write("recipe.toml", printed.out);
    Config expected;
    apply_recipe(expected, name);
    Config found;
    read_config(found, path("recipe.toml"));
    EXPECT_THAT(compare_configs(expected, found), testing::IsEmpty()) << name;
    // Only these keys: a default that the file named too would override one of an earlier file.
    const std::vector<std::string> all = lines(printed.out);
    const auto is_setting = [](const std::string& line) {
      return line.find(" = ") < line.find('#');
    };
    EXPECT_EQ(std::ranges::count_if(all, is_setting), std::ssize(recipe.settings)) << printed.out;
  }
  EXPECT_THAT(run({"inspect", "--recipe", "auto"}).out,
              HasSubstr("# searched: model.layers in 0, 1, 2, 3, 4\n"));
  EXPECT_THAT(run({"inspect", "--recipe", "bsl", "--json"}), FailsAtOnceWith(2, "prints TOML"));
  write("seven.toml", "[model]\nwidth = 7\n");
  for (const auto& [option, value] :
       {std::pair{"--set", "model.width=7"}, {"--threads", "3"}, {"--config", "seven.toml"}}) {
    EXPECT_THAT(run({"inspect", "--recipe", "bsl", option, value}),
                FailsAtOnceWith(2, "prints the recipe as it is: expected no --set, "));
  }
  write_films();
  const auto need = [&](const char* recipe) {
    return run({"inspect", "films", "--recipe", recipe, "--memory"}).out;
  };
  EXPECT_THAT(need("mf-softmax"), HasSubstr("training mf, D 64"));
  EXPECT_THAT(need("directau"), HasSubstr("training lightgcn, D 64, B 1024"));
}

TEST(Recipes, SearchFromOneOfTheValues) {
  for (const Recipe& recipe : recipes()) {
    for (const auto& [key, values] : recipe.searched) {
      const auto setting = std::ranges::find(recipe.settings, key, &Recipe::Setting::key);
      ASSERT_NE(setting, recipe.settings.end()) << recipe.name << ": " << key;
      EXPECT_THAT(values, testing::Contains(setting->value)) << recipe.name << ": " << key;
      for (const std::string_view value : values) {
        Config config;
        EXPECT_NO_THROW(set_config(config, key, value)) << key << " = " << value;
      }
    }
  }
}

class SearchingRecipe : public RecipeOption {};

TEST_F(SearchingRecipe, PrintsItsTrialsAndTrainsWithTheBest) {
  write_films();
  std::vector<std::string> command{"train", "films",    "--recipe", "auto", "--out",
                                   "run",   "--resume", "--epochs", "1"};
  const Outcome outcome = run(command);
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.err,
              HasSubstr("trial  loss.temperature  model.layers  loss.negative_weight"));
  const std::string chosen = "Chosen: ";
  const std::size_t at = outcome.err.find(chosen);
  ASSERT_NE(at, std::string::npos) << outcome.err;
  std::istringstream words(outcome.err.substr(at + chosen.size()));
  Config expected;
  Config config;
  read_config(config, path("run/config.toml"));
  expected = config;
  for (int i = 0; i < 3; ++i) {
    std::string word;
    words >> word;
    const std::size_t equals = word.find('=');
    set_config(expected, word.substr(0, equals), word.substr(equals + 1));
  }
  EXPECT_THAT(compare_configs(expected, config), testing::IsEmpty());
  EXPECT_EQ(config.batch_size, 512);  // films are few
  EXPECT_THAT(read("run/log.txt"), HasSubstr("Chosen: "));
  // The same command again resumes the run, with the values that were found.
  command.back() = "2";
  const Outcome again = run(command);
  ASSERT_EQ(again.exit_code, 0) << again.err;
  EXPECT_THAT(again.err, testing::Not(HasSubstr("trial")));
  Config resumed;
  read_config(resumed, path("run/config.toml"));
  config.epochs = 2;
  EXPECT_THAT(compare_configs(config, resumed), testing::IsEmpty());
}

TEST_F(SearchingRecipe, LeavesWhatTheCommandLineSets) {
  write("c.toml", "[model]\nlayers = 1\n");
  write_films();
  const Outcome outcome =
      run({"train", "films", "--recipe", "auto", "--config", "c.toml", "--set",
           "loss.temperature=0.3", "train.batch_size=64", "--out", "run", "--epochs", "1"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("trial  loss.negative_weight  ndcg@"));
  Config config;
  read_config(config, path("run/config.toml"));
  EXPECT_EQ(config.loss.softmax.temperature, 0.3);
  EXPECT_EQ(config.model.layers, 1);
  EXPECT_EQ(config.batch_size, 64);
}

TEST_F(SearchingRecipe, StartsSlAtKFromTheWeightTemperatureOfItsRecipe) {
  const std::vector<std::string> at_k{"--recipe",       "auto",           "--set",
                                      "loss.kind=sl@k", "model.layers=1", "loss.negative_weight=1"};
  Config published;
  apply_recipe(published, "sl@k");
  EXPECT_EQ(trained(at_k).loss.at_k.weight_temperature, published.loss.at_k.weight_temperature);
  std::vector<std::string> own = at_k;
  own.emplace_back("loss.weight_temperature=0.5");
  EXPECT_EQ(trained(own).loss.at_k.weight_temperature, 0.5);
  EXPECT_THAT(run({"train", "films", "--recipe", "auto", "--out", "plain", "--epochs", "1"}).err,
              testing::Not(HasSubstr("has no effect")));
}

}  // namespace
}  // namespace tern::test
