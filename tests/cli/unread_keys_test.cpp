// A training names the keys that were set and that it does not read.

#include "host/config/unread_keys.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include "host/config/recipes.hpp"
#include "tests/cli/workspace.hpp"

namespace tern::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

/// The unread ones of the keys that these settings set, in the order of the table.
std::vector<std::string> unread_of(
    const std::vector<std::pair<std::string, std::string>>& settings) {
  Config config;
  for (const auto& [key, value] : settings) set_config(config, key, value);
  std::vector<std::string> keys;
  for (const UnreadKey& unread : unread_keys(Config(), config)) keys.push_back(unread.key);
  return keys;
}

TEST(UnreadKeys, AreThoseOfOtherModelsAndLosses) {
  EXPECT_THAT(unread_of({{"model.kind", "mf"}, {"model.layers", "2"}}),
              ElementsAre("model.layers"));
  EXPECT_THAT(unread_of({{"model.kind", "mf"}, {"train.precision", "bf16"}}),
              ElementsAre("train.precision"));
  EXPECT_THAT(unread_of({{"model.kind", "gcmc"}, {"train.precision", "bf16"}}), IsEmpty());
  EXPECT_THAT(unread_of({{"model.layers", "2"}, {"model.hidden", "[8]"}}),
              ElementsAre("model.hidden"));
  EXPECT_THAT(unread_of({{"propagation.gamma", "0.5"}}), ElementsAre("propagation.gamma"));
  EXPECT_THAT(unread_of({{"propagation.kind", "lightgcn++"}, {"propagation.gamma", "0.5"}}),
              IsEmpty());
  EXPECT_THAT(unread_of({{"ease.l2", "5"}, {"contrast.weight", "1"}}),
              ElementsAre("ease.l2", "contrast.weight"));
  EXPECT_THAT(unread_of({{"loss.k", "5"}, {"loss.margin", "0.1"}, {"loss.temperature", "0.3"}}),
              ElementsAre("loss.temperature", "loss.margin", "loss.k"));
  EXPECT_THAT(unread_of({{"loss.kind", "sl@k"}, {"loss.k", "5"}, {"loss.temperature", "0.3"}}),
              IsEmpty());
}

TEST(UnreadKeys, AreThoseOfNegativesThatNobodyDraws) {
  EXPECT_THAT(unread_of({{"loss.kind", "softmax"}, {"sampling.negatives_per_positive", "4"}}),
              ElementsAre("sampling.negatives_per_positive"));
  EXPECT_THAT(unread_of({{"loss.kind", "softmax"},
                         {"loss.negatives", "sampled"},
                         {"loss.mask", "observed"},
                         {"sampling.negatives_per_positive", "4"}}),
              ElementsAre("loss.mask"));
  EXPECT_THAT(unread_of({{"loss.kind", "softmax"},
                         {"loss.negatives", "mixed"},
                         {"loss.mask", "observed"},
                         {"loss.popularity_correction", "1"},
                         {"sampling.negatives_per_positive", "4"}}),
              IsEmpty());
  EXPECT_THAT(unread_of({{"sampling.popularity_tries", "3"}}),
              ElementsAre("sampling.popularity_tries"));
  EXPECT_THAT(unread_of({{"sampling.negatives", "popularity"}, {"sampling.popularity_tries", "3"}}),
              IsEmpty());
  EXPECT_THAT(unread_of({{"optimizer.kind", "sgd"}, {"optimizer.beta1", "0.8"}}),
              ElementsAre("optimizer.beta1"));
}

TEST(UnreadKeys, OfARecipeAreNone) {
  for (const Recipe& recipe : recipes()) {
    Config config;
    apply_recipe(config, recipe.name);
    for (const UnreadKey& unread : unread_keys(Config(), config)) {
      ADD_FAILURE() << recipe.name << ": " << unread.key;
    }
  }
}

class UnreadKeysOfTrain : public Workspace {};

TEST_F(UnreadKeysOfTrain, AreNamedUnlessTheRecipeSetThem) {
  write_films();
  const Outcome outcome = run({"train", "films", "--out", "a", "--recipe", "bsl", "--epochs", "1",
                               "--set", "loss.kind=bpr", "loss.k=5"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("loss.k has no effect here: only loss.kind = sl@k reads it"));
  EXPECT_THAT(outcome.err, Not(HasSubstr("loss.temperature has no effect")));
}

}  // namespace
}  // namespace tern::test
