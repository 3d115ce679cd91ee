// tern evaluate --data: a run measured on the interactions of another file.

#include <nlohmann/json.hpp>

#include "tests/cli/workspace.hpp"

namespace tern::test {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class EvaluateData : public Workspace {
 protected:
  void SetUp() override {
    const Outcome outcome = train_films({"--quiet"});
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  }
  /// The run's test split as a table, in any order.
  std::string test_split() const {
    std::string text = "user,item\n";
    const Outcome lists = run({"recommend", "run", "--all", "-k", "20", "--mark-held-out"});
    for (const std::string& line : lines(lists.out)) {
      const std::vector<std::string> row = cells(line);
      if (row[4] == "yes") text += row[0] + "," + row[2] + "\n";
    }
    return text;
  }
  Outcome measure(const std::string& file, std::vector<std::string> more = {}) const {
    more.insert(more.begin(), {"evaluate", "run", "--json", "--data", file});
    return run(more);
  }
};

TEST_F(EvaluateData, OfTheTestSplitIsTheTestSplit) {
  write("second.csv", test_split());
  const Outcome outcome = measure("second.csv", {"--quiet", "--baselines"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, IsEmpty());
  const json found = json::parse(outcome.out);
  const json expected = json::parse(run({"evaluate", "run", "--json", "--baselines"}).out);
  EXPECT_EQ(found["data"], "second.csv");
  EXPECT_FALSE(found.contains("split"));
  EXPECT_EQ(found["unknown_interactions"], 0);
  for (const char* key : {"metrics", "users", "epoch", "baselines"}) {
    EXPECT_EQ(found[key], expected[key]) << key;
  }
  EXPECT_THAT(run({"evaluate", "run", "--data", "second.csv", "--quiet"}).out,
              HasSubstr("second.csv, 24 users with held-out items"));
}

TEST_F(EvaluateData, CountsUnknownIdsAndKnownInteractions) {
  write("second.csv", test_split());
  const json expected = json::parse(measure("second.csv").out);
  std::string training;
  for (const std::string& line : lines(read("films/interactions.tsv"))) {
    if (cells(line)[0] == "drama fan 0") training += cells(line)[0] + "," + cells(line)[1] + "\n";
  }
  write("more.csv", read("second.csv") + "nobody,drama-0\ndrama fan 0,no film\nnobody,no film\n");
  const Outcome more = measure("more.csv");
  ASSERT_EQ(more.exit_code, 0) << more.err;
  EXPECT_THAT(
      more.err,
      HasSubstr("more.csv: unknown to the run: users: 1, items: 1; interactions left out: 3 of "));
  const json found = json::parse(more.out);
  EXPECT_EQ(found["metrics"], expected["metrics"]);
  EXPECT_EQ(found["unknown_interactions"], 3);
  EXPECT_EQ(found["interactions"], expected["interactions"].get<int>() + 3);
  // Interactions of the training and the validation split are never candidates.
  write("known.csv", "user,item\n" + training);
  const Outcome known = measure("known.csv");
  EXPECT_THAT(known.err, HasSubstr("are masked and can never be hit: "));
  EXPECT_LT(json::parse(known.out)["metrics"]["recall@5"], 1.0);
}

TEST_F(EvaluateData, IsReadAsTheRunsDataUnlessToldOtherwise) {
  std::string text = "film,person\n";
  for (const std::string& line : lines(test_split())) {
    const std::size_t comma = line.find(',');
    if (!line.starts_with("user,")) {
      text += line.substr(comma + 1) + "," + line.substr(0, comma) + "\n";
    }
  }
  write("turned.csv", text);
  const Outcome outcome =
      measure("turned.csv", {"--set", "data.user_column=person", "data.item_column=film"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(json::parse(outcome.out)["metrics"],
            json::parse(run({"evaluate", "run", "--json"}).out)["metrics"]);
  EXPECT_THAT(measure("turned.csv", {"--set", "model.width=3"}),
              FailsAtOnceWith(2, "--set: found \"model.width=3\", expected data.KEY=VALUE"));
  EXPECT_THAT(run({"evaluate", "run", "--set", "data.k_core=3"}),
              FailsAtOnceWith(2, "expected --data FILE with it"));
}

TEST_F(EvaluateData, NamesTheOptionForKeysOfTheRun) {
  std::string films = read("films/interactions.tsv");
  films.replace(0, films.find('\n'), "who\tfilm");
  write("named.tsv", films);
  const std::vector<std::string> columns{"data.user_column=who", "data.item_column=film"};
  const Outcome trained =
      run({"train", "named.tsv", "--out", "named", "--quiet", "--epochs", "1", "--set",
           "model.width=8", "evaluation.ks=[2]", "train.metric=ndcg@2", columns[0], columns[1]});
  ASSERT_EQ(trained.exit_code, 0) << trained.err;
  write("second.csv", "user,item\ndrama fan 0,drama-0\n");
  for (const std::vector<std::string>& command :
       {std::vector<std::string>{"evaluate", "named", "--data"},
        {"score", "named", "--pairs"},
        {"recommend", "named", "--history"}}) {
    std::vector<std::string> arguments = command;
    arguments.emplace_back("second.csv");
    EXPECT_THAT(run(arguments),
                FailsAtOnceWith(2,
                                "second.csv: data.user_column: found \"who\", expected one of the "
                                "first row's names: \"user\", \"item\"; --set "
                                "data.user_column=VALUE sets it for this file, which is "
                                "otherwise read as the run's data"));
  }
  EXPECT_EQ(run({"evaluate", "named", "--data", "second.csv", "--set", "data.user_column=user",
                 "data.item_column=item"})
                .exit_code,
            0);
  write("data.csv", "a,b\nx\n");
  EXPECT_THAT(measure("data.csv"), Not(FailsWith(65, "--set")));
  EXPECT_THAT(measure("none.csv"), Not(FailsWith(65, "--set")));
}

TEST_F(EvaluateData, RefusesWhatCannotBeMeasured) {
  write("strangers.csv", "user,item\nalice,up\nbob,down\n");
  EXPECT_THAT(measure("strangers.csv"),
              AllOf(FailsWith(65, "the run knows user and item of none of its 2 interactions"),
                    FailsWith(65, "found for example user \"alice\" and item \"up\"")));
  EXPECT_THAT(measure("films"), FailsAtOnceWith(2, "--data: \"films\" is a directory"));
  EXPECT_THAT(measure("none.csv"), FailsAtOnceWith(65, "none.csv"));
  EXPECT_THAT(measure("strangers.csv", {"--split", "test"}),
              FailsAtOnceWith(2, "either --split or --data"));
}

}  // namespace
}  // namespace tern::test
