// tern evaluate --baselines: rankings without training beside the model's.

#include <nlohmann/json.hpp>

#include "tests/cli/workspace.hpp"

namespace tern::test {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class Baselines : public Workspace {
 protected:
  void SetUp() override {
    const Outcome outcome = train_films({"--quiet"});
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  }
};

TEST_F(Baselines, AllAreMeasured) {
  const Outcome table = run({"evaluate", "run", "--baselines"});
  ASSERT_EQ(table.exit_code, 0) << table.err;
  EXPECT_THAT(table.err, IsEmpty());
  EXPECT_THAT(table.out,
              AllOf(HasSubstr("linear_filter"), HasSubstr("graph_filter"), HasSubstr("ease")));
  const json answer = json::parse(run({"evaluate", "run", "--json", "--baselines"}).out);
  std::vector<std::string> names;
  for (const auto& [name, metrics] : answer["baselines"].items()) {
    names.push_back(name);
    EXPECT_TRUE(metrics.contains("recall@2")) << name;
    // Everyone watches only one kind of film, which popularity cannot know.
    if (name == "popularity") continue;
    EXPECT_GT(metrics["recall@5"], answer["baselines"]["popularity"]["recall@5"]) << name;
  }
  EXPECT_THAT(names, ElementsAre("ease", "graph_filter", "linear_filter", "popularity"));
}

TEST_F(Baselines, ThePenaltyOfEaseIsAnOption) {
  const auto ease = [&](const char* l2) {
    const Outcome outcome =
        run({"evaluate", "run", "--json", "--baselines", "--ease-l2", l2, "-k", "5"});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return json::parse(outcome.out)["baselines"];
  };
  EXPECT_EQ(
      ease("200"),
      json::parse(run({"evaluate", "run", "--json", "--baselines", "-k", "5"}).out)["baselines"]);
  EXPECT_NE(ease("200")["ease"], ease("0.01")["ease"]);
  EXPECT_EQ(ease("200")["graph_filter"], ease("0.01")["graph_filter"]);
  EXPECT_THAT(run({"evaluate", "run", "--baselines", "--ease-l2", "0"}),
              FailsAtOnceWith(2, "--ease-l2: found 0, expected a number above 0"));
  EXPECT_THAT(run({"evaluate", "run", "--baselines", "--ease-l2", "much"}),
              FailsAtOnceWith(2, "--ease-l2"));
  EXPECT_THAT(run({"evaluate", "run", "--ease-l2", "10"}),
              FailsAtOnceWith(2, "expected --baselines with it"));
}

TEST_F(Baselines, TheRunsOwnModelIsNotFittedAgain) {
  const auto fit = [&](const std::string& model, const std::string& name,
                       const std::vector<std::string>& keys) {
    std::vector<std::string> command{"train",
                                     "films",
                                     "--model",
                                     model,
                                     "--out",
                                     name,
                                     "--quiet",
                                     "--set",
                                     "evaluation.ks=[2,5]",
                                     "train.metric=ndcg@5"};
    command.insert(command.end(), keys.begin(), keys.end());
    EXPECT_EQ(run(command).exit_code, 0);
  };
  fit("ease", "ease", {});
  fit("graph_filter", "filter", {});
  fit("graph_filter", "four", {"graph_filter.rank=4"});
  fit("graph_filter", "seeded", {"train.seed=1"});
  const auto notes = [&](const std::string& name, const std::vector<std::string>& more = {}) {
    std::vector<std::string> command{"evaluate", name, "--baselines"};
    command.insert(command.end(), more.begin(), more.end());
    return run(command).err;
  };
  EXPECT_EQ(notes("ease"), "ease is the run's own model: it is not fitted again\n");
  EXPECT_EQ(notes("filter"), "graph_filter is the run's own model: it is not fitted again\n");
  for (const char* other : {"four", "seeded", "run"}) EXPECT_THAT(notes(other), IsEmpty());
  EXPECT_THAT(notes("ease", {"--ease-l2", "7"}), IsEmpty());
  const json answer =
      json::parse(run({"evaluate", "ease", "--baselines", "--ease-l2", "0.01", "--json"}).out);
  EXPECT_NE(answer["metrics"], answer["baselines"]["ease"]);
}

// 60,001 items: more than EASE takes. The others are measured, and the reason is one line.
TEST_F(Baselines, OneThatDoesNotFitIsLeftOut) {
  std::string text = "user\titem\n";
  for (int item = 0; item < 60'001; ++item) {  // 40 users, so that GF-CF is quick
    for (const int user : {item % 40, (item + 1) % 40, (item + 7) % 40}) {
      text += "u" + std::to_string(user) + "\ti" + std::to_string(item) + "\n";
    }
  }
  write("many/interactions.tsv", text);
  const Outcome trained = run({"train", "many", "--out", "wide", "--model", "mf", "--epochs", "1",
                               "--set", "model.width=4", "--set", "data.k_core=0", "--quiet"});
  ASSERT_EQ(trained.exit_code, 0) << trained.err;
  const Outcome outcome = run({"evaluate", "wide", "--json", "--baselines"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("ease is left out: EASE takes a number for every pair of "
                                     "items: found 60001 items, expected at most 60000"));
  const json answer = json::parse(outcome.out);
  EXPECT_TRUE(answer["baselines"]["ease"].is_null());
  EXPECT_TRUE(answer["baselines"]["popularity"].contains("recall@20"));
  const Outcome table = run({"evaluate", "wide", "--baselines", "--quiet"});
  EXPECT_THAT(table.out, AllOf(HasSubstr("popularity"), Not(HasSubstr("ease"))));
}

}  // namespace
}  // namespace tern::test
