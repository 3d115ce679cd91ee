// Too little memory: one line, exit code 1, no file changed; and the report of tern inspect.

#include <map>
#include <nlohmann/json.hpp>

#include "tests/cli/workspace.hpp"

namespace tern::test {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;

class Memory : public Workspace {
 protected:
  static std::vector<std::string> training(const std::string& out,
                                           const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments{"train",
                                       "films",
                                       "--out",
                                       out,
                                       "--epochs",
                                       "2",
                                       "--quiet",
                                       "--set",
                                       "evaluation.ks=[2,5]",
                                       "--set",
                                       "train.metric=ndcg@5"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }

  /// A device with enough memory for a training step, but not for ranking.
  static Streams cramped_device() {
    Streams streams;
    streams.environment = {{"TERN_CUDA_LIBRARY", TERN_FAKE_PLUGIN_FILE},
                           {"TERN_FAKE_PLUGIN", "cramped"}};
    return streams;
  }

  /// All files below a directory, with their contents.
  std::map<std::string, std::string> files_in(const std::string& name) const {
    std::map<std::string, std::string> files;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(path(name))) {
      if (!entry.is_regular_file()) continue;
      const std::string file = std::filesystem::relative(entry.path(), directory_).string();
      files[file] = read(file);
    }
    return files;
  }
};

TEST_F(Memory, ASmallAddressSpaceIsRefusedInOneLineAndALargeOneIsNoObstacle) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "the sanitizer needs terabytes of address space";
#endif
  write_films();
  Streams limited;
  for (const int megabytes : {100, 200, 300}) {
    limited.address_space = static_cast<rlim_t>(megabytes) * 1'000'000;
    const Outcome outcome = run(training("run", {"--threads", "2"}), limited);
    EXPECT_THAT(outcome, FailsAtOnceWith(1, "the limit of the address space (ulimit -v) leaves"));
    EXPECT_FALSE(exists("run"));
  }
  limited.address_space = rlim_t{16} << 30;
  EXPECT_EQ(run(training("run", {"--threads", "2"}), limited).exit_code, 0);
}

TEST_F(Memory, AJobTooLargeByTheFormulaIsRefusedInOneLine) {
  write_films();
  const Outcome outcome = run(training("run", {"--set", "model.width=65536", "--threads", "128"}));
  EXPECT_THAT(outcome, FailsAtOnceWith(1, "not enough memory: training needs about "));
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("TB on the host"), HasSubstr("free; the largest parts"),
                                 HasSubstr("(model.width")));
  EXPECT_FALSE(exists("run"));
}

TEST_F(Memory, ARehearsalThatFailsIsOneLineAndMakesNoRun) {
  write_films();
  const Outcome outcome = run(training("run", {"--device", "cuda"}), cramped_device());
  EXPECT_THAT(outcome, FailsAtOnceWith(1, "not enough memory: training needs about "));
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("free; the largest parts"),
                                 HasSubstr("1000 bytes are needed, 10 are free")));
  EXPECT_FALSE(exists("run"));
}

TEST_F(Memory, ARehearsalThatFailsLeavesAnEarlierRunAsItWas) {
  write_films();
  ASSERT_EQ(run(training("run")).exit_code, 0);
  const std::map<std::string, std::string> before = files_in("run");
  ASSERT_GE(before.size(), 6u);
  EXPECT_THAT(run(training("run", {"--overwrite", "--device", "cuda"}), cramped_device()),
              FailsAtOnceWith(1, "not enough memory"));
  EXPECT_EQ(files_in("run"), before);
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
  EXPECT_THAT(memory["device"].get<std::string>(), HasSubstr("not available"));
}

}  // namespace
}  // namespace tern::test
