// tern gradcheck.

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tests/cli/workspace.hpp"

namespace tern::test {
namespace {

using testing::Ge;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

class Gradcheck : public Workspace {
 protected:
  Outcome check(std::vector<std::string> more) const {
    if (std::find(more.begin(), more.end(), "--device") == more.end()) {
      more.insert(more.end(), {"--device", "cpu"});
    }
    more.insert(more.begin(),
                {"gradcheck", "--users", "6", "--items", "5", "--width", "2", "--problems", "1"});
    return run(more);
  }
};

TEST_F(Gradcheck, PrintsATableAndItsVerdict) {
  const Outcome outcome = check({});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("central differences"));
  EXPECT_THAT(outcome.out, HasSubstr("against f64"));
  EXPECT_THAT(outcome.out, Not(HasSubstr("FAILED")));
  EXPECT_THAT(lines(outcome.out), SizeIs(Ge(30u)));
  EXPECT_THAT(outcome.err, HasSubstr("checks passed"));
}

TEST_F(Gradcheck, SpeaksJson) {
  const Outcome outcome = check({"--json", "--layers", "2"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const auto answer = nlohmann::json::parse(outcome.out);
  EXPECT_TRUE(answer["passed"]);
  bool seen = false;
  for (const auto& result : answer["results"]) {
    EXPECT_LE(result["error"], result["bound"]);
    seen = seen || (result["subject"] == "lightgcn L2" && result["backend"] == "cpu");
  }
  EXPECT_TRUE(seen);
}

TEST_F(Gradcheck, DumpsSteps) {
  const Outcome outcome = check({"--dump", "steps"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("wrote a step to steps/mf"));
  EXPECT_TRUE(exists("steps/lightgcn-L3/user_embedding_gradient.npy"));
  write("taken", "a file");
  EXPECT_EQ(check({"--dump", "taken"}).exit_code, 1);
}

TEST_F(Gradcheck, RefusesWhatItCannotCheck) {
  const Outcome outcome = check({"--layers", "0"});
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_THAT(outcome.err, HasSubstr("layers: found 0, expected 1 to 16"));
  EXPECT_THAT(outcome.out, IsEmpty());
  EXPECT_EQ(check({"--device", "tpu"}).exit_code, 2);
  EXPECT_EQ(check({"--device", "cuda:99"}).exit_code, 1);
}

}  // namespace
}  // namespace tern::test
