// tern gradcheck.

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tern/version.hpp"
#include "tests/cli/workspace.hpp"

namespace tern::test {
namespace {

using testing::AnyOf;
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

TEST_F(Gradcheck, JsonSaysWhatWasCheckedAndTheWorstElement) {
  const Outcome outcome = check({"--json", "--filter", "^mf$|^bpr$", "--seed", "7"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const auto answer = nlohmann::json::parse(outcome.out);
  EXPECT_EQ(answer["version"], version());
  EXPECT_EQ(answer["backend"], "cpu");
  EXPECT_EQ(answer["options"]["seed"], 7);
  EXPECT_EQ(answer["options"]["width"], 2);
  EXPECT_EQ(answer["options"]["filter"], "^mf$|^bpr$");
  bool seen = false;
  for (const auto& result : answer["results"]) {
    EXPECT_THAT(result["subject"], AnyOf("mf", "bpr"));
    EXPECT_EQ(result["seed"], 7);
    if (result["quantity"] != "gradient of user_embedding") continue;
    const bool differences = result["method"] == "central differences";
    const double found = result[differences ? "analytic" : "value"];
    const double expected = result[differences ? "numeric" : "reference"];
    EXPECT_NEAR(found, expected, 1e-6);
    EXPECT_LT(result["element"]["row"], 6);
    EXPECT_LT(result["element"]["column"], 2);
    seen = true;
  }
  EXPECT_TRUE(seen);
}

TEST_F(Gradcheck, FilterChoosesSubjects) {
  const Outcome outcome = check({"--filter", "lightgcn L1 s.*max$"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("lightgcn L1 softmax"));
  EXPECT_THAT(outcome.out, HasSubstr("lightgcn L1 sampled softmax"));
  EXPECT_THAT(outcome.out, Not(HasSubstr("mf")));
  EXPECT_THAT(outcome.out, Not(HasSubstr("propagate")));
  const Outcome none = check({"--filter", "lihgtgcn"});
  EXPECT_EQ(none.exit_code, 2);
  EXPECT_THAT(none.err, HasSubstr("filter: no op or model matches \"lihgtgcn\""));
  const Outcome wrong = check({"--filter", "a("});
  EXPECT_EQ(wrong.exit_code, 2);
  EXPECT_THAT(wrong.err, HasSubstr("\"a(\" is not a regular expression"));
}

TEST_F(Gradcheck, DumpsSteps) {
  const Outcome outcome = check({"--dump", "steps", "--filter", "^mf$|L3$"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("wrote a step to steps/mf"));
  EXPECT_TRUE(exists("steps/lightgcn-L3/user_embedding_gradient.npy"));
  EXPECT_FALSE(exists("steps/lightgcn-L1"));
  // At once: no table was computed before.
  write("taken", "a file");
  for (const char* directory : {"taken", "taken/below"}) {
    const Outcome refused = check({"--dump", directory});
    EXPECT_EQ(refused.exit_code, 1);
    EXPECT_THAT(refused.out, IsEmpty());
    EXPECT_THAT(refused.err, HasSubstr("taken"));
  }
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
