// Runs with train.precision = bf16, from training to recommendations.

#include "tests/cli/resume_workspace.hpp"

namespace tern::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

const std::vector<std::string> kBf16{"--set", "train.precision=bf16"};

/// A machine with a GPU.
Streams stand_in_gpu() {
  Streams streams;
  streams.environment = {{"TERN_CUDA_LIBRARY", TERN_FAKE_PLUGIN_FILE}};
  return streams;
}

TEST_F(ResumeRun, InBf16EndsWithTheSameBits) {
  write_films();
  expect_halves_end_as_the_whole(kBf16);
}

TEST_F(ResumeRun, InBf16IsEvaluatedAndRecommendsAlike) {
  write_films();
  expect_run_is_read_alike(kBf16);
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

TEST_F(ResumeRun, InBf16RunsOnAGpuIfThereIsOne) {
  write_films();
  // The stand-in of a GPU is the reference backend.
  const Outcome trained = run(command("run", "4", kBf16), stand_in_gpu());
  ASSERT_EQ(trained.exit_code, 0) << trained.err;
  EXPECT_THAT(trained.err, Not(HasSubstr("on the CPU")));
  std::vector<std::string> inspect = kBf16;
  inspect.insert(inspect.begin(), {"inspect", "films", "--memory", "--json"});
  EXPECT_THAT(run(inspect, stand_in_gpu()).out, HasSubstr("\"device\":\"reference\""));
}

}  // namespace
}  // namespace tern::test
