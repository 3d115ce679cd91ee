// Runs with propagation.kind = lightgcn++, from training to recommendations.

#include "tests/cli/resume_workspace.hpp"

namespace tern::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;

const std::vector<std::string> kPlusPlus{"--recipe", "lightgcn++", "--set",
                                         "optimizer.learning_rate=0.01"};

TEST_F(ResumeRun, WithLightGcnPlusPlusEndsWithTheSameBits) {
  write_films();
  const Outcome whole = run(command("whole", "6", kPlusPlus));
  ASSERT_EQ(whole.exit_code, 0) << whole.err;
  EXPECT_THAT(whole.err, HasSubstr("lightgcn++, L 2, alpha 0.6, beta -0.1, gamma 0.2, D 8"));
  ASSERT_EQ(run(command("parts", "3", kPlusPlus)).exit_code, 0);
  const Outcome more = run({"train", "--resume", "parts", "--epochs", "6"});
  ASSERT_EQ(more.exit_code, 0) << more.err;
  expect_same_end("parts", "whole");
}

TEST_F(ResumeRun, WithLightGcnPlusPlusIsEvaluatedExportedAndRecommendsAlike) {
  write_films();
  ASSERT_EQ(run(command("run", "4", kPlusPlus)).exit_code, 0);
  EXPECT_EQ(run({"evaluate", "run", "--quiet"}).exit_code, 0);
  const Outcome stored = run({"recommend", "run", "--all", "-k", "3", "--quiet"});
  ASSERT_EQ(stored.exit_code, 0) << stored.err;
  EXPECT_EQ(run({"export", "run", "--to", "exported", "--quiet"}).exit_code, 0);
  // Without the stored embeddings the model computes them anew from its parameters.
  std::filesystem::rename(path("run/embeddings.safetensors"), path("embeddings"));
  EXPECT_EQ(run({"recommend", "run", "--all", "-k", "3", "--quiet"}).out, stored.out);
}

TEST_F(ResumeRun, LightGcnPlusPlusThatDoesNotFitTheModelIsRefused) {
  write_films();
  const auto refused = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {"--recipe", "lightgcn++"});
    const Outcome outcome = run(command("run", "1", more));
    EXPECT_EQ(outcome.exit_code, 2);
    EXPECT_FALSE(std::filesystem::exists(path("run")));
    return outcome.err;
  };
  EXPECT_THAT(refused({"--model", "mf"}),
              AllOf(HasSubstr("propagation.kind"), HasSubstr("model.kind = lightgcn")));
  EXPECT_THAT(refused({"--set", "model.layers=0"}), HasSubstr("model.layers from 1"));
  EXPECT_THAT(refused({"--set", "contrast.kind=xsimgcl"}),
              AllOf(HasSubstr("propagation.kind"), HasSubstr("contrast.kind")));
}

}  // namespace
}  // namespace tern::test
