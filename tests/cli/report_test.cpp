// tern report: where the page goes, what is refused, and the command that it names.

#include <cstdlib>
#include <filesystem>
#include <string>
#include <utility>

#include "tests/cli/workspace.hpp"

namespace tern::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

class ReportCommand : public Workspace {
 protected:
  void SetUp() override {
    const Outcome outcome = train_films({"--quiet"});
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  }
};

TEST_F(ReportCommand, WritesIntoTheRun) {
  const Outcome outcome = run({"report", "run"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, IsEmpty());
  EXPECT_THAT(outcome.err,
              AllOf(HasSubstr("wrote run/report.html ("), HasSubstr("open it in a browser")));
  const std::string page = read("run/report.html");
  EXPECT_THAT(page,
              AllOf(StartsWith("<!DOCTYPE html>"), HasSubstr("drama-"), HasSubstr("best epoch ")));
  EXPECT_THAT(run({"report", "run", "--quiet"}).err, IsEmpty());
  EXPECT_EQ(read("run/report.html"), page);
  // It is about this run, and goes with it.
  ASSERT_EQ(train_films({"--quiet", "--overwrite"}).exit_code, 0);
  EXPECT_FALSE(exists("run/report.html"));
}

TEST_F(ReportCommand, WritesElsewhere) {
  EXPECT_THAT(run({"report", "run", "-o", "page.html"}).err, HasSubstr("wrote page.html ("));
  const Outcome printed = run({"report", "run", "--output", "-", "--quiet"});
  EXPECT_EQ(printed.out, read("page.html"));
  EXPECT_FALSE(exists("run/report.html"));
  EXPECT_THAT(run({"report", "run", "-o", "none/page.html"}),
              FailsWith(1, "cannot write to none/page.html: No such file or directory"));
}

TEST_F(ReportCommand, ComparesRuns) {
  std::filesystem::rename(path("run"), path("other"));
  ASSERT_EQ(train_films({"--quiet", "--model", "mf"}).exit_code, 0);
  ASSERT_EQ(run({"report", "run", "other", "--quiet"}).exit_code, 0);
  EXPECT_THAT(read("run/report.html"), HasSubstr("<bdi>other</bdi> minus <bdi>run</bdi>"));
  EXPECT_FALSE(exists("other/report.html"));
}

TEST_F(ReportCommand, RefusesWhatCannotBeCompared) {
  std::filesystem::rename(path("run"), path("other"));
  ASSERT_EQ(train_films({"--quiet", "--set", "data.split_seed=3"}).exit_code, 0);
  EXPECT_THAT(run({"report", "run", "other"}),
              FailsAtOnceWith(65, "other: a report compares runs of the same data"));
  EXPECT_THAT(run({"report", "run", "films"}), FailsAtOnceWith(65, "films"));
  EXPECT_THAT(run({"report", "run", "run"}), FailsAtOnceWith(2, "the run run is named twice"));
  EXPECT_THAT(run({"report"}), FailsAtOnceWith(2, "RUN"));
  EXPECT_THAT(run({"report", "run", "--device", "tpu"}), FailsAtOnceWith(2, "tpu"));
}

// The command of the page, run by a shell, trains the same embeddings.
TEST_F(ReportCommand, NamesTheCommandThatTrainsAgain) {
  ASSERT_EQ(run({"report", "run", "--quiet"}).exit_code, 0);
  const std::string page = read("run/report.html");
  const std::string begin = "<pre class=\"command\">tern ";
  const std::size_t at = page.find(begin);
  ASSERT_NE(at, std::string::npos);
  std::string command = page.substr(at + begin.size(), page.find("</pre>", at) - at - begin.size());
  for (const auto& [entity, text] : {std::pair{"&quot;", "\""}, {"&#39;", "'"}, {"&amp;", "&"}}) {
    for (std::size_t i; (i = command.find(entity)) != std::string::npos;) {
      command.replace(i, std::string(entity).size(), text);
    }
  }
  EXPECT_THAT(command, AllOf(HasSubstr("--set 'evaluation.ks=[2, 5]'"),
                             HasSubstr("--out run-again"), Not(HasSubstr("data.path"))));
  const std::string shell = "cd '" + path("").string() + "' && '" TERN_TESTED_PROGRAM "' " +
                            command + " --quiet >/dev/null";
  ASSERT_EQ(std::system(shell.c_str()), 0) << shell;
  EXPECT_EQ(read("run-again/embeddings.safetensors"), read("run/embeddings.safetensors"));
}

}  // namespace
}  // namespace tern::test
