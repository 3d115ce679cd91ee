// Input that cannot be used: exit code 65, and one line with the file, the line and the fault.

#include "tests/cli/workspace.hpp"

namespace tern::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class BadInput : public Workspace {
 protected:
  Outcome train(const std::string& data) const {
    return run({"train", data, "--out", "run", "--quiet", "--epochs", "1", "--set",
                "evaluation.ks=[1]", "--set", "train.metric=ndcg@1"});
  }
};

TEST_F(BadInput, MissingOrEmpty) {
  EXPECT_THAT(train("nowhere"), FailsAtOnceWith(65, "nowhere"));
  write("empty/train.txt", "");
  EXPECT_THAT(train("empty"), FailsAtOnceWith(65, "train.txt"));
  std::filesystem::create_directory(path("bare"));
  EXPECT_THAT(train("bare"), FailsAtOnceWith(65, "bare"));
  EXPECT_FALSE(exists("run"));
}

TEST_F(BadInput, NamesTheLine) {
  write("words/train.txt", "0 1 2\n1 two 3\n");
  EXPECT_THAT(train("words"), FailsAtOnceWith(65, "train.txt:2: "));
  write("negative/train.txt", "0 1 2\n1 3\n2 -4\n");
  EXPECT_THAT(train("negative"), FailsAtOnceWith(65, "train.txt:3: "));
  write("columns/interactions.tsv", "user\titem\na\tx\nb\n");
  EXPECT_THAT(train("columns"), FailsAtOnceWith(65, "interactions.tsv:3: "));
  EXPECT_FALSE(exists("run"));
}

TEST_F(BadInput, ACutCompressedFile) {
  write("gz/train.txt.gz", std::string("\x1f\x8b\x08\0\0\0\0\0\0\x03", 10));
  EXPECT_THAT(train("gz"), FailsAtOnceWith(65, "train.txt.gz"));
  write("zst/train.txt.zst", "\x28\xb5\x2f\xfd");
  EXPECT_THAT(train("zst"), FailsAtOnceWith(65, "train.txt.zst"));
}

TEST_F(BadInput, NotARun) {
  EXPECT_THAT(run({"evaluate", "nowhere"}), FailsAtOnceWith(65, "nowhere"));
  std::filesystem::create_directory(path("bare"));
  for (const std::vector<std::string>& arguments : {std::vector<std::string>{"evaluate", "bare"},
                                                    {"recommend", "bare", "--all"},
                                                    {"similar", "bare", "--item", "x"},
                                                    {"export", "bare", "--to", "out"}}) {
    EXPECT_THAT(run(arguments), FailsAtOnceWith(65, "bare"));
  }
}

TEST_F(BadInput, ADamagedRun) {
  ASSERT_EQ(train_films({"--quiet"}).exit_code, 0);
  const std::string best = checkpoint("run", "best-");
  const std::string bytes = read(best);
  write(best, bytes.substr(0, bytes.size() / 2));
  EXPECT_THAT(run({"evaluate", "run"}), FailsAtOnceWith(65, best));
  EXPECT_EQ(run({"evaluate", "run", "--checkpoint", "last"}).exit_code, 0);

  const std::string interactions = "run/interactions.safetensors";
  std::string changed = read(interactions);
  changed.back() ^= 1;
  write(interactions, changed);
  EXPECT_THAT(run({"evaluate", "run", "--checkpoint", "last"}), FailsAtOnceWith(65, interactions));
}

}  // namespace
}  // namespace tern::test
