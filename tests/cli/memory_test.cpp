// Too little memory: one line, exit code 1, nothing harmed; and what inspect says of it.

#include <sys/resource.h>

#include <nlohmann/json.hpp>

#include "tests/cli/workspace.hpp"

namespace tern::test {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;

class Memory : public Workspace {
 protected:
  /// A run of the program in an address space of so many megabytes.
  Outcome run_within(rlim_t megabytes, const std::vector<std::string>& arguments) const {
    rlimit before{};
    EXPECT_EQ(getrlimit(RLIMIT_AS, &before), 0);
    rlimit low = before;
    low.rlim_cur = megabytes * 1'000'000;
    // The limit goes to the child; this process has more than that already, and asks for nothing
    // that it does not hold before the limit is lifted again.
    EXPECT_EQ(setrlimit(RLIMIT_AS, &low), 0);
    Child child(directory_, arguments);
    EXPECT_EQ(setrlimit(RLIMIT_AS, &before), 0);
    return child.finish();
  }

  static std::vector<std::string> training(const std::string& out) {
    return {"train",
            "films",
            "--out",
            out,
            "--epochs",
            "2",
            "--threads",
            "2",
            "--quiet",
            "--set",
            "evaluation.ks=[2,5]",
            "--set",
            "train.metric=ndcg@5",
            "--set",
            "model.width=512"};
  }
};

TEST_F(Memory, ALimitOfTheAddressSpaceIsOneClearLine) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "the sanitizer needs terabytes of address space";
#endif
  write_films();
  int refused = 0;
  int trained = 0;
  // Below some 60 MB the loader cannot even map the libraries: nothing of ours runs. Where two
  // threads are enough for everybody, 400 are enough.
  for (rlim_t megabytes = 64; megabytes <= 464; megabytes += 16) {
    const std::string out = "run" + std::to_string(megabytes);
    const Outcome outcome = run_within(megabytes, training(out));
    if (outcome.exit_code == 0) {
      ++trained;
      continue;
    }
    ++refused;
    EXPECT_THAT(outcome, FailsAtOnceWith(1, "memory")) << megabytes;
    EXPECT_EQ(outcome.err.find("libgomp"), std::string::npos) << outcome.err;
  }
  EXPECT_GT(refused, 5);
  EXPECT_GT(trained, 1) << "a limit that leaves enough is no hindrance";
}

TEST_F(Memory, AFailureLeavesAnEarlierRunAsItWas) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "the sanitizer needs terabytes of address space";
#endif
  write_films();
  ASSERT_EQ(run(training("run")).exit_code, 0);
  const std::string before = read(checkpoint("run", "best-"));
  std::vector<std::string> arguments = training("run");
  arguments.insert(arguments.end(), {"--overwrite", "--set", "model.width=4096"});
  EXPECT_THAT(run_within(330, arguments), FailsAtOnceWith(1, "memory"));
  EXPECT_EQ(read(checkpoint("run", "best-")), before);
}

TEST_F(Memory, InspectSaysWhatTrainingTakes) {
  write_films();
  const std::vector<std::string> plain{"inspect", "films", "--device", "cpu", "--threads", "2"};
  EXPECT_EQ(run(plain).out.find("optimizer"), std::string::npos) << "nobody asked";
  std::vector<std::string> asked = plain;
  asked.insert(asked.end(), {"--model", "mf", "--set", "model.width=100"});
  const Outcome text = run(asked);
  ASSERT_EQ(text.exit_code, 0) << text.err;
  EXPECT_THAT(text.out,
              AllOf(HasSubstr("training mf, D 100"), HasSubstr("optimizer"), HasSubstr("free")));
  asked.push_back("--json");
  const json memory = json::parse(run(asked).out)["memory"];
  std::int64_t sum = 0;
  std::int64_t parameters = 0;
  for (const json& part : memory["parts"]) {
    sum += part["host"].get<std::int64_t>();
    if (part["name"] == "parameters") parameters = part["host"];
  }
  EXPECT_EQ(memory["host"], sum);
  EXPECT_EQ(parameters, (24 + 20) * 112 * 4) << "100 floats take seven cache lines";
  EXPECT_EQ(memory["shortage"], "");
  EXPECT_TRUE(memory["device_free"].is_null());
}

TEST_F(Memory, InspectEstimatesForAGpuThatIsNotThere) {
  write_films();
  const Outcome outcome = run({"inspect", "films", "--memory", "--device", "cuda", "--json"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const json memory = json::parse(outcome.out)["memory"];
  EXPECT_GT(memory["on_device"].get<std::int64_t>(), 0);
  EXPECT_THAT(memory["device"].get<std::string>(), HasSubstr("not here"));
}

}  // namespace
}  // namespace tern::test
