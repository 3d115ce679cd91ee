// tern score: the scores of given pairs.

#include <nlohmann/json.hpp>

#include "tests/cli/workspace.hpp"

namespace tern::test {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class Score : public Workspace {
 protected:
  /// The newcomer is only in the test split, and so is the new film.
  void SetUp() override {
    write_films();
    write("given/train.tsv", read("films/interactions.tsv"));
    write("given/test.tsv", "user\titem\nnewcomer\tdrama-2\ndrama fan 0\tnew film\n");
    const Outcome outcome =
        run({"train", "given", "--out", "run", "--quiet", "--epochs", "5", "--set", "model.width=8",
             "train.batch_size=64", "evaluation.ks=[2]", "train.metric=ndcg@2",
             "train.select_on=test"});
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  }
  Outcome score(const std::string& file, std::vector<std::string> more = {}) const {
    more.insert(more.begin(), {"score", "run", "--pairs", file});
    return run(more);
  }
};

TEST_F(Score, IsThatOfRecommend) {
  const Outcome full =
      run({"recommend", "run", "--all", "-k", "21", "--include-observed", "--cold", "--quiet"});
  std::string pairs;
  std::string expected = "user\titem\tscore\tsource\n";
  std::vector<std::string> list = lines(full.out);
  ASSERT_THAT(list, SizeIs(1 + 25 * 21));
  for (std::size_t line = list.size() - 1; line > 0;
       --line) {  // backwards: the file's order counts
    const std::vector<std::string> row = cells(list[line]);
    pairs += row[0] + "\t" + row[2] + "\n";
    expected += row[0] + "\t" + row[2] + "\t" + row[3] + "\t" + row[4] + "\n";
  }
  write("pairs.tsv", pairs);
  const Outcome scores = score("pairs.tsv", {"--cold"});
  EXPECT_EQ(scores.exit_code, 0) << scores.err;
  EXPECT_EQ(scores.out, expected);
  EXPECT_THAT(scores.err, HasSubstr("pairs whose user has no training interactions, scored by "
                                    "popularity: 21 of 525\n"));
  // The scores do not depend on how they are computed.
  std::filesystem::remove(path("run/embeddings.safetensors"));
  EXPECT_EQ(score("pairs.tsv", {"--cold", "-o", "scores.tsv"}).exit_code, 0);
  EXPECT_EQ(read("scores.tsv"), expected);
}

TEST_F(Score, HasALineForEveryPair) {
  Streams streams;
  streams.in =
      "person,film\nnobody,drama-0\nnewcomer,horror-1\ndrama fan 0,no film\ndrama fan 0,drama-0\n"
      "drama fan 0,new film\ndrama fan 0,drama-0\n";
  const Outcome tsv = run({"score", "run", "--pairs", "-"}, streams);
  EXPECT_EQ(tsv.exit_code, 0) << tsv.err;
  const auto list = lines(tsv.out);
  ASSERT_THAT(list, SizeIs(7));
  EXPECT_EQ(list[1], "nobody\tdrama-0\t\tunknown");
  EXPECT_THAT(list[2], testing::MatchesRegex("newcomer\thorror-1\t[0-9]+\tpopularity"));
  EXPECT_EQ(list[3], "drama fan 0\tno film\t\tunknown");
  EXPECT_THAT(list[4], testing::MatchesRegex("drama fan 0\tdrama-0\t[-.e0-9]+\tmodel"));
  EXPECT_EQ(list[5], "drama fan 0\tnew film\t\tcold");
  EXPECT_EQ(list[6], list[4]);
  EXPECT_THAT(
      tsv.err,
      AllOf(HasSubstr("pairs whose user or item is unknown to the run, without a score: 2 of "
                      "6\n"),
            HasSubstr("without a score unless --cold is given: 1 of 6\n"),
            HasSubstr("scored by popularity: 1 of 6\n")));

  const Outcome jsonl =
      run({"score", "run", "--pairs", "-", "--format", "jsonl", "--quiet"}, streams);
  EXPECT_THAT(jsonl.err, IsEmpty());
  ASSERT_THAT(lines(jsonl.out), SizeIs(6));
  for (std::size_t line = 0; line < 6; ++line) {
    const json object = json::parse(lines(jsonl.out)[line]);
    const std::vector<std::string> row = cells(list[line + 1]);
    EXPECT_EQ(object["user"], row[0]);
    EXPECT_EQ(object["item"], row[1]);
    EXPECT_EQ(object["source"], row[3]);
    EXPECT_EQ(object["score"].is_null(), row[2].empty());
    if (!row[2].empty()) {
      EXPECT_EQ(object["score"].get<float>(), std::stof(row[2]));
    }
  }
}

TEST_F(Score, ReadsFilesAsTrainDoes) {
  write("pairs.tsv", "drama fan 0\tdrama-0\n");
  const std::string expected = lines(score("pairs.tsv").out).back();
  EXPECT_THAT(expected, HasSubstr("drama fan 0\tdrama-0\t"));
  write("turned.csv", "film;person;stars\n\"drama-0\";\"drama fan 0\";1\n");
  const Outcome turned =
      score("turned.csv", {"--set", "data.user_column=person", "data.item_column=film"});
  EXPECT_THAT(lines(turned.out), testing::Contains(expected)) << turned.err;
  write("pairs.jsonl", R"({"user":"drama fan 0","item":"drama-0"})");
  EXPECT_THAT(lines(score("pairs.jsonl").out), testing::Contains(expected));
}

TEST_F(Score, RefusesRowsThatCouldBeLists) {
  write("rated.txt", "1 5 4\n2 7 3\n");
  EXPECT_THAT(score("rated.txt"), AllOf(FailsWith(65, "rated.txt:1: every line has 3 numbers"),
                                        FailsWith(65, "--set data.format=VALUE")));
  write("named.txt", "user item rating\n1 5 4\n2 7 3\n");
  EXPECT_THAT(score("named.txt"), FailsWith(65, "user \"1\" and item \"5\""));
  EXPECT_THAT(score("rated.txt", {"--set", "data.format=table"}),
              FailsWith(65, "none of its 2 pairs"));
  EXPECT_THAT(score("rated.txt", {"--set", "data.format=adjacency"}),
              FailsWith(65, "none of its 4 pairs"));
}

TEST_F(Score, RefusesWhatItCannotScore) {
  write("strangers.csv", "user,item\nnobody,drama-0\ndrama fan 0,no film\n");
  const Outcome strangers = score("strangers.csv");
  EXPECT_THAT(strangers,
              FailsWith(65, "strangers.csv: the run knows user and item of none of its 2"));
  EXPECT_THAT(strangers.err, HasSubstr("user \"nobody\" and item \"drama-0\""));
  write("empty.csv", "user,item\n");
  EXPECT_THAT(score("empty.csv"),
              FailsWith(65, "empty.csv: no interactions, expected at least one"));
  EXPECT_THAT(score("none.csv"), FailsAtOnceWith(65, "none.csv: no such file"));
  EXPECT_THAT(score("given"), FailsAtOnceWith(2, "--pairs: \"given\" is a directory"));
  EXPECT_THAT(run({"score", "run"}), FailsAtOnceWith(2, "--pairs"));
  EXPECT_THAT(score("none.csv", {"--set", "model.width=3"}), FailsAtOnceWith(2, "data.KEY=VALUE"));
}

}  // namespace
}  // namespace tern::test
