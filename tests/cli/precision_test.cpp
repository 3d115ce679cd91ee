// Runs with train.precision = bf16, from training to recommendations.

#include "tests/cli/resume_workspace.hpp"

namespace tern::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

const std::vector<std::string> kBf16{"--set", "train.precision=bf16"};
const std::string kNotice = "train.precision = bf16 runs on the CPU";

/// A machine with a GPU that propagates in f32 alone.
Streams f32_device() {
  Streams streams;
  streams.environment = {{"TERN_CUDA_LIBRARY", TERN_FAKE_PLUGIN_FILE},
                         {"TERN_FAKE_PLUGIN", "f32 alone"}};
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

TEST_F(ResumeRun, InBf16TrainsOnTheCpuBesideAGpu) {
  write_films();
  const Outcome trained = run(command("run", "4", kBf16), f32_device());
  ASSERT_EQ(trained.exit_code, 0) << trained.err;
  EXPECT_THAT(trained.err, HasSubstr(kNotice));
  ASSERT_EQ(run(command("cpu", "4", kBf16)).exit_code, 0);
  expect_same_end("run", "cpu");

  std::vector<std::string> on_gpu = kBf16;
  on_gpu.insert(on_gpu.end(), {"--device", "cuda"});
  EXPECT_THAT(run(command("gpu", "4", on_gpu), f32_device()),
              FailsWith(2, "train.precision = bf16 needs a CPU"));
  std::vector<std::string> verify = kBf16;
  verify.insert(verify.begin(), {"train", "films", "--verify-determinism"});
  const Outcome verified = run(verify, f32_device());
  EXPECT_EQ(verified.exit_code, 0) << verified.err;
  EXPECT_THAT(verified.err, HasSubstr(kNotice));
  std::vector<std::string> inspect = kBf16;
  inspect.insert(inspect.begin(), {"inspect", "films", "--memory", "--json"});
  EXPECT_THAT(run(inspect, f32_device()).out, HasSubstr("\"device\":\"cpu\""));
}

TEST_F(ResumeRun, InBf16IsReadOnTheCpuBesideAGpuIfItPropagates) {
  write_films();
  ASSERT_EQ(run(command("run", "4", kBf16)).exit_code, 0);
  const Outcome stored = run({"evaluate", "run"}, f32_device());
  ASSERT_EQ(stored.exit_code, 0) << stored.err;
  EXPECT_THAT(stored.err, Not(HasSubstr("bf16"))) << "every device reads stored embeddings";
  write("new.tsv", "user\titem\nsomebody new\tdrama-0\nsomebody new\tdrama-4\n");
  const std::vector<std::string> lists{"recommend", "run", "--all", "-k", "3"};
  const std::vector<std::string> history{"recommend", "run", "--history", "new.tsv", "-k", "3"};
  for (const auto& arguments : {lists, history}) {
    const Outcome expected = run(arguments);
    ASSERT_EQ(expected.exit_code, 0) << expected.err;
    std::filesystem::rename(path("run/embeddings.safetensors"), path("embeddings"));
    const Outcome outcome = run(arguments, f32_device());
    EXPECT_EQ(outcome.out, expected.out) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr(kNotice));
    std::filesystem::rename(path("embeddings"), path("run/embeddings.safetensors"));
  }
  // A finished training writes the missing embeddings anew.
  std::filesystem::remove(path("run/embeddings.safetensors"));
  const Outcome completed = run({"train", "--resume", "run"}, f32_device());
  EXPECT_EQ(completed.exit_code, 0) << completed.err;
  EXPECT_THAT(completed.err, HasSubstr(kNotice));
  EXPECT_TRUE(exists("run/embeddings.safetensors"));
}

}  // namespace
}  // namespace tern::test
