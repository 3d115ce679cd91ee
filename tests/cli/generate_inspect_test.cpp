// tern generate and tern inspect.

#include <nlohmann/json.hpp>

#include "tests/cli/workspace.hpp"

namespace tern::test {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class GenerateInspect : public Workspace {
 protected:
  Outcome generate(const std::vector<std::string>& more) const {
    std::vector<std::string> arguments{"generate",       "--users", "60",       "--items", "40",
                                       "--interactions", "600",     "--tastes", "4"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(arguments);
  }
};

TEST_F(GenerateInspect, BothFormatsHoldTheSameData) {
  const Outcome outcome = generate({"--to", "a"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, IsEmpty());
  EXPECT_THAT(outcome.err, HasSubstr("600 interactions of 60 users with 40 items"));
  ASSERT_EQ(generate({"--to", "b", "--format", "tsv", "--quiet"}).exit_code, 0);
  EXPECT_THAT(lines(read("a/train.txt")), SizeIs(60));
  EXPECT_THAT(lines(read("b/interactions.tsv")), SizeIs(601));
  EXPECT_THAT(read("b/interactions.tsv"), HasSubstr("\nuser0\titem"));
  EXPECT_THAT(lines(read("a/user_tastes.tsv")), SizeIs(61));
  EXPECT_THAT(lines(read("b/item_tastes.tsv")), SizeIs(41));

  ASSERT_EQ(generate({"--to", "c", "--seed", "1"}).exit_code, 0);
  EXPECT_NE(read("c/train.txt"), read("a/train.txt"));
  ASSERT_EQ(generate({"--to", "c", "--seed", "0"}).exit_code, 0);
  EXPECT_EQ(read("c/train.txt"), read("a/train.txt"));
}

TEST_F(GenerateInspect, InspectCounts) {
  ASSERT_EQ(generate({"--to", "a", "--quiet"}).exit_code, 0);
  const Outcome text = run({"inspect", "a"});
  ASSERT_EQ(text.exit_code, 0) << text.err;
  EXPECT_THAT(text.err, IsEmpty());
  EXPECT_THAT(text.out, AllOf(HasSubstr("interactions"), HasSubstr("median degree"),
                              HasSubstr("users with held-out items")));
  for (const std::string& line : lines(text.out)) EXPECT_THAT(line, SizeIs(testing::Le(100u)));

  const Outcome outcome = run({"inspect", "a", "--json", "--set", "data.valid_fraction=0"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const json answer = json::parse(outcome.out);
  EXPECT_EQ(answer["all"]["interactions"], 600);
  EXPECT_EQ(answer["all"]["users"]["nodes"], 60);
  EXPECT_EQ(answer["valid"]["interactions"], 0);
  EXPECT_GT(answer["test"]["interactions"], 0);
  EXPECT_EQ(answer["train"]["interactions"].get<int>() + answer["test"]["interactions"].get<int>(),
            600);
  EXPECT_EQ(answer["all"]["users"]["degree"]["mean"], 10.0);
}

TEST_F(GenerateInspect, WhatIsGeneratedCanBeTrainedOn) {
  ASSERT_EQ(generate({"--to", "b", "--format", "tsv", "--quiet"}).exit_code, 0);
  const Outcome outcome = run({"train", "b", "--epochs", "2", "--out", "run", "--quiet"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
}

TEST_F(GenerateInspect, BadOptionsAndDataAreErrors) {
  EXPECT_THAT(generate({"--to", "a", "--noise", "2"}), FailsAtOnceWith(2, "noise"));
  EXPECT_THAT(generate({"--to", "a", "--tastes", "0"}), FailsAtOnceWith(2, "tastes"));
  EXPECT_THAT(generate({"--to", "a", "--tastes", "many"}), FailsAtOnceWith(2, "--tastes"));
  EXPECT_FALSE(exists("a"));
  EXPECT_THAT(run({"inspect", "nowhere"}), FailsAtOnceWith(65, "nowhere"));
  EXPECT_THAT(run({"inspect"}), FailsAtOnceWith(2, "DATA is missing"));
  EXPECT_THAT(run({"inspect", "a", "--set", "data.k_core=-1"}), FailsAtOnceWith(2, "data.k_core"));
}

}  // namespace
}  // namespace tern::test
