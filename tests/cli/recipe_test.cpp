#include <set>
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
  }
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

TEST(Recipes, CclHasThePublishedMarginAndWeight) {
  Config config;
  apply_recipe(config, "ccl");
  EXPECT_EQ(config.loss.kind, LossKind::kCcl);
  EXPECT_EQ(config.loss.margin, 0.9);
  EXPECT_EQ(config.loss.softmax.negative_weight, 150);
  EXPECT_EQ(config.sampling.negatives_per_positive, 64);
  EXPECT_EQ(config.evaluation.score, ScoreKind::kCosine);
}

TEST(Recipes, AnUnknownNameListsAll) {
  Config config;
  try {
    apply_recipe(config, "softmx");
    FAIL() << "not refused";
  } catch (const ConfigError& error) {
    EXPECT_STREQ(
        error.what(),
        "unknown recipe \"softmx\": expected one of lightgcn, softmax, bsl, mf-softmax, ccl");
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
  const Outcome outcome = run({"train", "films", "--recipe", "sotfmax"});
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_THAT(outcome.err, HasSubstr("unknown recipe \"sotfmax\": expected one of lightgcn"));
}

}  // namespace
}  // namespace tern::test
