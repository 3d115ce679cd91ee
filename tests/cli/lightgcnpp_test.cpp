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
  EXPECT_THAT(expect_halves_end_as_the_whole(kPlusPlus),
              HasSubstr("lightgcn++, L 2, alpha 0.6, beta -0.1, gamma 0.2, D 8"));
}

TEST_F(ResumeRun, WithLightGcnPlusPlusIsEvaluatedExportedAndRecommendsAlike) {
  write_films();
  expect_run_is_read_alike(kPlusPlus);
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
