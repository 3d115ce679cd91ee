// The program tern-bench: lists on its axes, formats, estimate and picture.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "tests/bench/program.hpp"

namespace tern::test {
namespace {

using ProgramOutput = BenchProgram;
using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST_F(ProgramOutput, RunsListsOfWidthsAndCachesAndComparesThem) {
  const std::vector<std::string> once{"ops",
                                      "--data",
                                      "data",
                                      "--filter",
                                      "^sgd/dense/tern$",
                                      "--seconds",
                                      "0.001",
                                      "--threads",
                                      "1",
                                      "--width",
                                      "4,8",
                                      "--caches",
                                      "evicted,warm",
                                      "--repetitions",
                                      "3"};
  std::vector<std::string> first = once;
  first.insert(first.end(), {"--json", "a.json"});
  const Outcome written = run(first);
  ASSERT_EQ(written.exit_code, 0) << written.err;
  EXPECT_THAT(written.out,
              AllOf(HasSubstr("D = 4, "), HasSubstr("D = 8, "), HasSubstr("caches evicted"),
                    HasSubstr("caches warm"), HasSubstr("| time of evicted over warm\n")));
  const Outcome compared = run({"compare", "a.json", "a.json"});
  EXPECT_EQ(compared.exit_code, 0) << compared.err;
  for (const char* name : {"D 4, evicted", "D 4, warm", "D 8, evicted", "D 8, warm"}) {
    EXPECT_THAT(compared.out, ContainsRegex(std::string("sgd/dense/tern, ") + name + " .*\\+0.0"));
  }
  EXPECT_THAT(compared.out, HasSubstr("0 of 4 cases changed"));

  std::vector<std::string> second = once;
  second.insert(second.end(), {"--baseline", "a.json"});
  const Outcome again = run(second);
  EXPECT_EQ(again.exit_code, 0) << again.err;
  EXPECT_THAT(again.out, HasSubstr("of 4 cases changed"));
}

TEST_F(ProgramOutput, SharesBlocksOutAmongProcesses) {
  const auto measured = [&](const char* processes, const char* repetitions) {
    const Outcome outcome =
        run({"ops", "--data", "data", "--filter", "^sgd/dense/", "--seconds", "0.001", "--threads",
             "1", "--width", "4,8", "--caches", "warm", "--repetitions", repetitions, "--processes",
             processes, "--format", "json"});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return nlohmann::json::parse(outcome.out);
  };
  const auto processes_of = [](const nlohmann::json& json) {
    std::map<std::string, std::vector<int>> found;
    for (const nlohmann::json& row : json.at("benchmarks")) {
      if (row.at("run_type") == "aggregate") continue;
      found[row.at("strategy").get<std::string>() + row.at("width").dump()].push_back(
          row.at("process"));
    }
    return found;
  };
  const nlohmann::json three = measured("3", "7");
  for (const auto& [name, processes] : processes_of(three)) {
    EXPECT_EQ(processes, (std::vector{0, 0, 0, 1, 1, 2, 2})) << name;
  }
  EXPECT_EQ(processes_of(three).size(), 4u);
  EXPECT_EQ(three.at("context").at("tern_processes"), "3");
  EXPECT_TRUE(three.at("context").contains("ceiling_users_read_GB_per_s_D8"));
  const nlohmann::json one = measured("1", "3");
  EXPECT_EQ(processes_of(one).at("tern4"), (std::vector{0, 0, 0}));
  EXPECT_EQ(measured("0", "12").at("context").at("tern_processes"), "6");
  const nlohmann::json few = measured("6", "2");  // no process without a block
  EXPECT_EQ(processes_of(few).at("plain_loop8"), (std::vector{0, 1}));
}

/// A table or process that the run does not have.
TEST_F(ProgramOutput, AShareOfNoRunIsAnError) {
  expect_refused({"ops", "--data", "data", "--filter", "^sgd/", "--share", "9,0"}, 2,
                 "--share: this run has no table 9");
}

TEST_F(ProgramOutput, MakesACaseForEachEntryOfTheListsThatItReads) {
  const Outcome outcome =
      run({"ops",
           "--data",
           "data",
           "--filter",
           "^(propagate/to_(users|batch_users)/tern|sampled_contrast|step|sgd/dense/tern)",
           "--seconds",
           "0.001",
           "--threads",
           "1",
           "--width",
           "4",
           "--repetitions",
           "2",
           "--batch",
           "16,32",
           "--layers",
           "1,2",
           "--negatives",
           "2,3",
           "--precision",
           "f32,bf16",
           "--caches",
           "warm,warm",
           "--format",
           "json"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  std::map<std::string, int> rows;
  std::set<std::string> settings;
  const nlohmann::json json = nlohmann::json::parse(outcome.out);
  for (const nlohmann::json& row : json.at("benchmarks")) {
    if (row.at("run_type") != "aggregate") continue;
    ++rows[row.at("op").get<std::string>() + "/" + row.at("variant").get<std::string>()];
    std::string setting = row.at("variant");
    for (const char* axis : {"batch", "layers", "negatives", "precision", "caches"}) {
      if (row.contains(axis)) setting += std::string(" ") + row.at(axis).dump();
    }
    EXPECT_TRUE(settings.insert(setting).second) << setting;
  }
  EXPECT_EQ(rows, (std::map<std::string, int>{{"propagate/to_users", 2},
                                              {"propagate/to_batch_users", 2 * 2},
                                              {"sampled_contrast/expression_2", 2},
                                              {"sampled_contrast/expression_3", 2},
                                              {"sampled_contrast/negatives_2", 2},
                                              {"sampled_contrast/negatives_3", 2},
                                              {"step/lightgcn", 2 * 2},
                                              {"sgd/dense", 1}}));
  EXPECT_TRUE(json.at("context").contains("ceiling_users_gather_bf16_GB_per_s_B16"));
}

TEST_F(ProgramOutput, PrintsTheFormatThatIsAskedFor) {
  std::vector<std::string> arguments{"ops",       "--data",   "data",
                                     "--width",   "4",        "--batch",
                                     "16,32",     "--filter", "^(bpr|sgd/dense/tern)",
                                     "--seconds", "0.001",    "--repetitions",
                                     "2",         "--caches", "warm",
                                     "--format"};
  const auto printed = [&](const char* format) {
    std::vector<std::string> all = arguments;
    all.emplace_back(format);
    const Outcome outcome = run(all);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return outcome.out;
  };
  EXPECT_THAT(printed("csv"), ContainsRegex("^op,variant,strategy,width,batch,[^\n]*\n"
                                            "bpr,batch,tern,4,16,[^\n]*\nsgd,dense,tern,4,,[^\n]*\n"
                                            "bpr,batch,tern,4,32,[^\n]*\n$"));
  const std::string markdown = printed("markdown");
  EXPECT_THAT(markdown, HasSubstr("\n| op | variant | strategy | width | batch |"));
  EXPECT_THAT(markdown, HasSubstr("\n| sgd | dense | tern | 4 |  |"));
  EXPECT_THAT(printed("table"), HasSubstr("D = 4, B = 32\n"));
  EXPECT_EQ(nlohmann::json::parse(printed("json")).at("context").at("tern_batch"), "16,32");
}

TEST_F(ProgramOutput, StatesWhatItNeedsBeforeItRuns) {
  const std::vector<std::string> arguments{
      "ops", "--data", "data", "--filter", "^sgd/dense/tern$", "--seconds", "0.001", "--estimate"};
  const Outcome estimate = run(arguments);
  EXPECT_EQ(estimate.exit_code, 0) << estimate.err;
  EXPECT_THAT(estimate.out,
              ContainsRegex("^estimate: about [0-9]+ s and [0-9]+ MB of memory for 1 cases; "
                            "[0-9.]+ [MG]B are free\n$"));
  // The product of two matrices of 65,536 columns, on a million users: more than any machine has.
  const std::vector<std::string> large{"ops",
                                       "--shape",
                                       "million",
                                       "--width",
                                       "65536",
                                       "--filter",
                                       "^linear_relu_batchnorm/users_backward/tern$"};
  expect_refused(
      large, 1,
      "tern-bench: not enough memory: linear_relu_batchnorm/users_backward/tern needs about ");
}

TEST_F(ProgramOutput, DrawsARoofline) {
  const Outcome outcome =
      run({"ops", "--data", "data", "--filter", "^(bpr|sgd/dense/tern)", "--seconds", "0.001",
           "--repetitions", "2", "--svg", "a.svg", "--caches", "evicted,warm"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  std::ifstream file(directory_ / "a.svg");
  const std::string svg{std::istreambuf_iterator<char>(file), {}};
  EXPECT_THAT(
      svg, AllOf(StartsWith("<svg"), HasSubstr("bpr batch</text>"), HasSubstr("sgd dense</text>"),
                 HasSubstr("memory, warm"), HasSubstr("gather, evicted")));
  expect_refused({"ops", "--data", "data", "--svg", "absent/a.svg"}, 1,
                 "cannot write absent/a.svg");
}

}  // namespace
}  // namespace tern::test
