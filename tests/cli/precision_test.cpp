// Runs with train.precision = bf16, from training to recommendations.

#include "tests/cli/resume_workspace.hpp"

namespace tern::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;

const std::vector<std::string> kBf16{"--set", "train.precision=bf16"};

TEST_F(ResumeRun, InBf16EndsWithTheSameBits) {
  write_films();
  ASSERT_EQ(run(command("whole", "6", kBf16)).exit_code, 0);
  ASSERT_EQ(run(command("parts", "3", kBf16)).exit_code, 0);
  const Outcome more = run({"train", "--resume", "parts", "--epochs", "6"});
  ASSERT_EQ(more.exit_code, 0) << more.err;
  expect_same_end("parts", "whole");
}

TEST_F(ResumeRun, InBf16IsEvaluatedAndRecommendsAlike) {
  write_films();
  ASSERT_EQ(run(command("run", "4", kBf16)).exit_code, 0);
  EXPECT_EQ(run({"evaluate", "run", "--quiet"}).exit_code, 0);
  const Outcome stored = run({"recommend", "run", "--all", "-k", "3", "--quiet"});
  ASSERT_EQ(stored.exit_code, 0) << stored.err;
  // Without the stored embeddings the model computes them anew from its parameters.
  std::filesystem::rename(path("run/embeddings.safetensors"), path("embeddings"));
  EXPECT_EQ(run({"recommend", "run", "--all", "-k", "3", "--quiet"}).out, stored.out);
}

TEST_F(ResumeRun, InBf16IsDeterministicAndNeedsMemoryForCopies) {
  write_films();
  for (const std::string model : {"lightgcn", "gcmc"}) {
    const Outcome outcome = run({"train", "films", "--verify-determinism", "--model", model,
                                 "--set", "train.precision=bf16"});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_THAT(run({"inspect", "films", "--model", model, "--set", "train.precision=bf16"}).out,
                HasSubstr("copies"));
  }
  const Outcome none = run({"train", "films", "--out", "mf", "--model", "mf", "--epochs", "1",
                            "--set", "train.precision=bf16"});
  EXPECT_EQ(none.exit_code, 0);
  EXPECT_THAT(none.err, AllOf(HasSubstr("train.precision has no effect here"),
                              HasSubstr("model.kind = lightgcn or gcmc")));
}

}  // namespace
}  // namespace tern::test
