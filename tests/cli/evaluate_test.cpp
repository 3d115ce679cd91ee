// tern evaluate: the table, JSON, splits and baselines.

#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "tests/cli/workspace.hpp"

namespace tern::test {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

class Evaluate : public Workspace {
 protected:
  void SetUp() override {
    const Outcome outcome = train_films({"--quiet"});
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  }
};

TEST_F(Evaluate, PrintsATable) {
  const Outcome outcome = run({"evaluate", "run", "--baselines"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, IsEmpty());
  EXPECT_THAT(outcome.out,
              AllOf(HasSubstr("test split, 24 users"), HasSubstr("recall@2"), HasSubstr("ndcg@5"),
                    HasSubstr("lightgcn"), HasSubstr("popularity"), HasSubstr("graph_filter")));
  std::size_t width = 0;
  for (const std::string& line : lines(outcome.out)) {
    EXPECT_THAT(line, SizeIs(testing::Le(100u)));
    if (line.find('@') == std::string::npos) continue;
    if (width == 0) width = line.size();
    EXPECT_EQ(line.size(), width) << "numbers do not line up: " << line;
  }
  EXPECT_THAT(run({"evaluate", "run"}).out, Not(HasSubstr("popularity")));
}

TEST_F(Evaluate, AnswersInJson) {
  const Outcome outcome =
      run({"evaluate", "run", "--json", "--baselines", "-k", "1,5", "--split", "valid"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  ASSERT_THAT(lines(outcome.out), SizeIs(1));
  const json answer = json::parse(outcome.out);
  EXPECT_EQ(answer["split"], "valid");
  EXPECT_EQ(answer["model"], "lightgcn");
  EXPECT_EQ(answer["checkpoint"], "best");
  EXPECT_EQ(answer["selected_on"], "valid");
  EXPECT_GT(answer["users"], 0);
  EXPECT_TRUE(answer["metrics"].contains("recall@1"));
  EXPECT_FALSE(answer["metrics"].contains("recall@2"));
  EXPECT_TRUE(answer["baselines"]["popularity"].contains("ndcg@5"));
  // Everyone watches only one kind of film: the model learns this, popularity cannot.
  EXPECT_GT(answer["metrics"]["recall@5"], answer["baselines"]["popularity"]["recall@5"]);

  // The best checkpoint has the metric that the run recorded as best.
  double best = 0.0;
  for (const std::string& line : lines(read("run/metrics.jsonl"))) {
    const json epoch = json::parse(line);
    if (epoch.value("best", false)) best = epoch["ndcg@5"];
  }
  EXPECT_EQ(answer["metrics"]["ndcg@5"], best);
}

TEST_F(Evaluate, MeasuresWhatIsRecommended) {
  // Recall@5 again, computed from complete lists with marked held-out items.
  const Outcome all = run({"recommend", "run", "--all", "-k", "20", "--mark-held-out"});
  ASSERT_EQ(all.exit_code, 0) << all.err;
  std::map<std::string, std::pair<int, int>> counts;  // hits among the first five, held out
  std::vector<std::string> rows = lines(all.out);
  for (std::size_t i = 1; i < rows.size(); ++i) {
    const std::vector<std::string> row = cells(rows[i]);
    if (row[4] != "yes") continue;
    auto& [hits, held_out] = counts[row[0]];
    ++held_out;
    if (std::stoi(row[1]) <= 5) ++hits;
  }
  double recall = 0.0;
  for (const auto& [user, count] : counts) {
    recall += static_cast<double>(count.first) / count.second;
  }
  const json answer = json::parse(run({"evaluate", "run", "--json", "--threads", "1"}).out);
  EXPECT_EQ(answer["users"], counts.size());
  EXPECT_NEAR(answer["metrics"]["recall@5"].get<double>(),
              recall / static_cast<double>(counts.size()), 1e-12);
  EXPECT_GT(recall, 0.0);
}

TEST_F(Evaluate, SaysWhenTheTestSetChoseTheEpoch) {
  ASSERT_EQ(train_films({"--quiet", "--overwrite", "--set", "train.select_on=test"}).exit_code, 0);
  EXPECT_THAT(run({"evaluate", "run"}).out, HasSubstr("selected on this same split"));
  EXPECT_THAT(run({"evaluate", "run", "--split", "valid"}).out, Not(HasSubstr("same split")));
}

TEST_F(Evaluate, RefusesWhatCannotBeMeasured) {
  EXPECT_THAT(run({"evaluate", "run", "-k", "21"}),
              FailsAtOnceWith(2, "-k: found 21, but the run has only 20 items"));
  EXPECT_THAT(run({"evaluate", "run", "-k", "0"}), FailsAtOnceWith(2, "-k"));
  EXPECT_THAT(run({"evaluate", "run", "-k", "ten"}), FailsAtOnceWith(2, "-k"));
  EXPECT_THAT(run({"evaluate", "run", "--device", "tpu"}), FailsAtOnceWith(2, "tpu"));
  ASSERT_EQ(train_films({"--quiet", "--overwrite", "--set", "data.valid_fraction=0"}).exit_code, 0);
  EXPECT_THAT(run({"evaluate", "run", "--split", "valid"}), FailsAtOnceWith(2, "no validation"));
}

}  // namespace
}  // namespace tern::test
