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
  EXPECT_THAT(expect_halves_end_as_the_whole(kXSimGcl),
              HasSubstr("lightgcn, L 2 with xsimgcl (layer 1), D 8"));
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
  expect_run_is_read_alike(kXSimGcl);
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
