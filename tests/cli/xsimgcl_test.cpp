// Runs with contrast.kind = xsimgcl, from training to recommendations.

#include <nlohmann/json.hpp>

#include "tests/cli/resume_workspace.hpp"

namespace tern::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;

const std::vector<std::string> kXSimGcl{"--recipe", "xsimgcl", "--set",
                                        "optimizer.learning_rate=0.01"};

TEST_F(ResumeRun, WithAContrastEndsWithTheSameBits) {
  write_films();
  const Outcome whole = run(command("whole", "6", kXSimGcl));
  ASSERT_EQ(whole.exit_code, 0) << whole.err;
  EXPECT_THAT(whole.err, HasSubstr("lightgcn, L 2 with xsimgcl (layer 1), D 8"));
  ASSERT_EQ(run(command("parts", "3", kXSimGcl)).exit_code, 0);
  const Outcome more = run({"train", "--resume", "parts", "--epochs", "6"});
  ASSERT_EQ(more.exit_code, 0) << more.err;
  expect_same_end("parts", "whole");
  for (const std::string& line : lines(read("whole/metrics.jsonl"))) {
    const auto epoch = nlohmann::json::parse(line);
    EXPECT_NEAR(epoch["loss"].get<double>(),
                epoch["bpr_loss"].get<double>() + epoch["l2_loss"].get<double>() +
                    epoch["contrast_loss"].get<double>(),
                1e-12);
    EXPECT_GT(epoch["contrast_loss"].get<double>(), 0.0);
  }
}

TEST_F(ResumeRun, WithAContrastIsEvaluatedExportedAndRecommendsAlike) {
  write_films();
  ASSERT_EQ(run(command("run", "4", kXSimGcl)).exit_code, 0);
  EXPECT_EQ(run({"evaluate", "run", "--quiet"}).exit_code, 0);
  const Outcome stored = run({"recommend", "run", "--all", "-k", "3", "--quiet"});
  ASSERT_EQ(stored.exit_code, 0) << stored.err;
  EXPECT_EQ(run({"export", "run", "--to", "exported", "--quiet"}).exit_code, 0);
  // Without the stored embeddings the model computes them anew from its parameters.
  std::filesystem::rename(path("run/embeddings.safetensors"), path("embeddings"));
  EXPECT_EQ(run({"recommend", "run", "--all", "-k", "3", "--quiet"}).out, stored.out);
}

TEST_F(ResumeRun, AContrastThatDoesNotFitTheModelIsRefused) {
  write_films();
  const auto refused = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {"--recipe", "xsimgcl"});
    const Outcome outcome = run(command("run", "1", more));
    EXPECT_EQ(outcome.exit_code, 2);
    EXPECT_FALSE(std::filesystem::exists(path("run")));
    return outcome.err;
  };
  EXPECT_THAT(refused({"--model", "mf"}),
              AllOf(HasSubstr("contrast.kind"), HasSubstr("model.kind = lightgcn")));
  EXPECT_THAT(refused({"--set", "contrast.view_layer=3"}),
              HasSubstr("contrast.view_layer: found 3"));
}

}  // namespace
}  // namespace tern::test
