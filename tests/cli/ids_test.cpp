// Ids of users and items as people write them: files, blanks, and slips of the pen.

#include "tests/cli/workspace.hpp"
#include "tests/support/compressed.hpp"

namespace tern::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class Ids : public Workspace {
 protected:
  void SetUp() override {
    const Outcome outcome = train_films({"--quiet"});
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  }
  Outcome recommend(const std::string& option, const std::string& value) const {
    return run({"recommend", "run", option, value, "-k", "2"});
  }
};

TEST_F(Ids, AreSuggestedOnlyIfTheyAreNear) {
  EXPECT_THAT(recommend("--user", "drama fun 2"),
              FailsAtOnceWith(65,
                              "there is no user \"drama fun 2\"; the most similar: \"drama "
                              "fan 2\""));
  for (const char* stranger : {"zzzzzzzz", "7", "alice@example.org"}) {
    const Outcome outcome = recommend("--user", stranger);
    EXPECT_THAT(outcome, FailsAtOnceWith(65, "the run has for example \"drama fan 0\""))
        << stranger;
    EXPECT_THAT(outcome.err, Not(HasSubstr("similar"))) << stranger;
  }
}

TEST_F(Ids, MayHaveBlanksAroundThem) {
  const std::string expected = recommend("--user", "drama fan 0").out;
  EXPECT_EQ(recommend("--user", " drama fan 0 ").out, expected);
  write("who.txt", "\t drama fan 0 \r\n \t\r\n");
  EXPECT_EQ(recommend("--users", "who.txt").out, expected);

  write("films.txt", "drama-0\nhorror-1\n");
  write("blanks.txt", "  drama-0\nhorror-1\t\n");
  const auto among = [&](const std::string& file) {
    return run({"recommend", "run", "--all", "-k", "2", "--candidates", file}).out;
  };
  EXPECT_THAT(among("films.txt"), HasSubstr("horror-1"));
  EXPECT_EQ(among("blanks.txt"), among("films.txt"));

  const auto scored = [&](const std::string& file) {
    return lines(run({"score", "run", "--pairs", file}).out).at(1);
  };
  write("pair.tsv", "user\titem\ndrama fan 0\tdrama-0\n");
  write("pair.csv", "user,item\n drama fan 0 , drama-0\n");
  write("blanks.tsv", "user\titem\ndrama fan 0 \t drama-0\n");
  EXPECT_THAT(scored("pair.tsv"), HasSubstr("model"));
  EXPECT_EQ(scored("pair.csv"), scored("pair.tsv"));
  const std::vector<std::string> row = cells(scored("blanks.tsv"));
  EXPECT_EQ(row.at(2), cells(scored("pair.tsv")).at(2));
  write("history.tsv", "user\titem\nalice\tdrama-0\n");
  write("blank_history.tsv", "user\titem\nalice\t drama-0 \ndrama fan 0 \tdrama-0\n");
  const Outcome history = recommend("--history", "blank_history.tsv");
  EXPECT_EQ(history.out, recommend("--history", "history.tsv").out);
  EXPECT_THAT(history.err, HasSubstr("users that the run knows"));
}

TEST_F(Ids, AreFoundAsTheyAreBeforeBlanksAreLeftOut) {
  write("odd/interactions.tsv", "user\titem\na \tx\na \ty\na\tx\na\tz\n");
  ASSERT_EQ(run({"train", "odd", "--out", "odd_run", "--epochs", "1", "--quiet", "--set",
                 "evaluation.ks=1", "train.metric=ndcg@1", "data.test_fraction=0",
                 "data.valid_fraction=0"})
                .exit_code,
            0);
  const auto first = [&](const std::string& user) {
    return cells(lines(run({"recommend", "odd_run", "--user", user, "-k", "1"}).out).at(1));
  };
  EXPECT_EQ(first("a ")[0], "a ");
  EXPECT_EQ(first("a ")[2], "z");
  EXPECT_EQ(first(" a")[0], "a");
  EXPECT_EQ(first(" a")[2], "y");
}

TEST_F(Ids, AreReadFromCompressedFiles) {
  const std::string expected = recommend("--user", "drama fan 0").out;
  write("who.gz", gzip("drama fan 0\n"));
  EXPECT_EQ(recommend("--users", "who.gz").out, expected);
  write("who.zst", zstd("drama fan 0\n"));
  EXPECT_EQ(recommend("--users", "who.zst").out, expected);
}

TEST_F(Ids, AreRefusedFromFilesThatAreNoText) {
  EXPECT_THAT(recommend("--users", "films"),
              FailsAtOnceWith(65, "films: found a directory, expected a file"));
  EXPECT_THAT(recommend("--users", "none.txt"),
              FailsAtOnceWith(65, "none.txt: the file cannot be opened: No such file"));
  write("cut.gz", gzip("drama fan 0\n").substr(0, 12));
  EXPECT_THAT(recommend("--users", "cut.gz"), FailsAtOnceWith(65, "cut short"));
  write("who.zip", "PK\x03\x04 and so on");
  EXPECT_THAT(recommend("--users", "who.zip"), FailsAtOnceWith(65, "who.zip: found a zip archive"));
  write("wide.txt", std::string("\xFF\xFE"
                                "d\0r\0",
                                6));
  EXPECT_THAT(recommend("--users", "wide.txt"), FailsAtOnceWith(65, "UTF-16, expected UTF-8"));
}

}  // namespace
}  // namespace tern::test
