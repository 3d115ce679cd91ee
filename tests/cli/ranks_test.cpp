// tern train by several ranks, which are processes of this machine.

#include <signal.h>

#include <chrono>
#include <deque>

#include "tests/cli/ranks_workspace.hpp"

namespace tern::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

TEST_F(RanksRun, TrainAsOneProcessDoes) {
  write_films();
  for (const std::string model : {"mf", "lightgcn"}) {
    const std::vector<std::string> more{"--model", model};
    ASSERT_EQ(run(wide(model + "-alone", "4", more)).exit_code, 0);
    const std::vector<double> alone = losses(model + "-alone");
    for (const int ranks : {2, 3}) {
      const std::string name = model + "-" + std::to_string(ranks);
      expect_trained(ranks, wide(name, "4", more), name);
      const std::vector<double> together = losses(name);
      ASSERT_EQ(together.size(), alone.size());
      for (std::size_t epoch = 0; epoch < alone.size(); ++epoch) {
        EXPECT_NEAR(together[epoch], alone[epoch], 1e-4) << name << ", epoch " << epoch + 1;
      }
      // The run is like any other: whole tables, and final embeddings.
      EXPECT_EQ(state(name).tensors.size(), state(model + "-alone").tensors.size());
      EXPECT_TRUE(exists(name + "/embeddings.safetensors"));
      EXPECT_EQ(run({"evaluate", name, "--quiet"}).exit_code, 0);
    }
  }
}

TEST_F(RanksRun, GiveTheSameBitsAgainAndAfterAStop) {
  write_films();
  expect_trained(2, wide("whole", "40"), "whole");
  expect_trained(2, wide("again", "40"), "again");
  expect_same_end("again", "whole");
  // A signal to any rank ends all of them, in order.
  for (const std::size_t to : {0, 1}) {
    const std::string name = "stopped" + std::to_string(to);
    std::deque<Child> children = start(2, wide(name, "40"));
    ASSERT_TRUE(children[0].wait_for_error_text("epoch  3/40"));
    children[to].kill(SIGTERM);
    for (const Outcome& end : finish(children)) EXPECT_EQ(end.exit_code, 75) << end.err;
    expect_trained(2, {"train", "--resume", name}, name);
    expect_same_end(name, "whole");
  }
}

/// Losses over whole rows, and what ranks keep beside tables: thresholds, and the count of perturbed steps.
TEST_F(RanksRun, ResumeEveryLossBitForBit) {
  write_films();
  const std::vector<std::pair<std::string, std::vector<std::string>>> cases{
      {"softmax", {"--set", "loss.kind=softmax"}},
      {"mixed", {"--set", "loss.kind=softmax", "loss.negatives=mixed"}},
      {"at_k", {"--set", "loss.kind=sl@k", "loss.refresh_every=2"}},
      {"directau", {"--set", "loss.kind=directau"}},
      {"ccl", {"--set", "loss.kind=ccl"}},
      {"xsimgcl", {"--set", "contrast.kind=xsimgcl"}},
      {"lightgcnpp", {"--set", "propagation.kind=lightgcn++"}},
  };
  for (const auto& [name, more] : cases) {
    ASSERT_EQ(run(wide(name + "-alone", "6", more)).exit_code, 0);
    expect_trained(2, wide(name + "-whole", "6", more), name + "-whole");
    const std::vector<double> alone = losses(name + "-alone");
    const std::vector<double> together = losses(name + "-whole");
    ASSERT_EQ(together.size(), alone.size());
    for (std::size_t epoch = 0; epoch < alone.size(); ++epoch) {
      EXPECT_NEAR(together[epoch], alone[epoch], 1e-4) << name << ", epoch " << epoch + 1;
    }
    expect_trained(2, wide(name, "3", more), name);
    expect_trained(2, {"train", "--resume", name, "--epochs", "6"}, name);
    expect_same_end(name, name + "-whole");
  }
}

TEST_F(RanksRun, ResumeUnderAnotherNumber) {
  write_films();
  expect_trained(3, wide("run", "4"), "run");
  const TensorFile before = state("run");
  const Outcome alone = run({"train", "--resume", "run", "--epochs", "6"});
  ASSERT_EQ(alone.exit_code, 0);
  const std::string differs = "From here on, the result differs";
  EXPECT_THAT(alone.err, AllOf(HasSubstr("changed: 1 rank, was 3"), HasSubstr(differs)));
  std::string messages = expect_trained(2, {"train", "--resume", "run", "--epochs", "7"}, "run");
  EXPECT_THAT(messages, AllOf(HasSubstr("changed: 2 ranks, was 1"), HasSubstr(differs)));
  messages = expect_trained(2, {"train", "--resume", "run", "--epochs", "8"}, "run");
  EXPECT_THAT(messages, Not(HasSubstr(differs)));
  EXPECT_EQ(losses("run").size(), 8U);
  EXPECT_EQ(state("run").metadata.at("epoch"), "8");
  // Nothing is left to do: all ranks agree.
  std::deque<Child> children = start(2, {"train", "--resume", "run", "--epochs", "8"});
  const std::vector<Outcome> ends = finish(children);
  EXPECT_THAT(ends[0].err, HasSubstr("nothing to do"));
  for (const Outcome& end : ends) EXPECT_EQ(end.exit_code, 0) << end.err;
}

/// Features of both sides, learned ids, two layers and both dropouts.
TEST_F(RanksRun, TrainGcMc) {
  write_films();
  std::string films = "film\tkind\tyear\n";
  for (int n = 0; n < 20; ++n) {
    films += film_name(n) + (n % 2 == 0 ? "\tdrama\t" : "\thorror\t") +
             std::to_string(1980 + n * 7 % 20) + "\n";
  }
  write("films/item_features.tsv", films);
  std::string people = "person\ttaste\n";
  for (int n = 0; n < 24; ++n) people += person_name(n) + (n % 2 == 0 ? "\ttears\n" : "\tfear\n");
  write("films/user_features.tsv", people);
  // With Adam's own epsilon, rounding alone would set the trainings apart.
  std::vector<std::string> gcmc{"--model", "gcmc", "--set"};
  for (const char* setting :
       {"model.inputs=both", "model.hidden=[24]", "model.dropout=0.1", "model.message_dropout=0.1",
        "optimizer.epsilon=1e-3", "optimizer.learning_rate=1e-4"}) {
    gcmc.emplace_back(setting);
  }
  for (const auto& [ranks, loss] : {std::pair(2, "softmax"), std::pair(3, "bpr")}) {
    std::vector<std::string> settings = gcmc;
    settings.push_back(std::string("loss.kind=") + loss);
    const std::string alone = std::string(loss) + "-alone";
    ASSERT_EQ(run(wide(alone, "4", settings)).exit_code, 0);
    const std::string name = std::string(loss) + "-ranks";
    expect_trained(ranks, wide(name, "4", settings), name);
    ASSERT_EQ(losses(name).size(), 4U);
    for (std::size_t epoch = 0; epoch < 4; ++epoch) {
      EXPECT_NEAR(losses(name)[epoch], losses(alone)[epoch], 1e-4) << name << epoch + 1;
    }
    EXPECT_EQ(state(name).tensors.size(), state(alone).tensors.size());
    EXPECT_EQ(run({"evaluate", name, "--quiet"}).exit_code, 0);
    // As many ranks go on to the same bits, any other number goes on.
    expect_trained(ranks, {"train", "--resume", name, "--epochs", "8"}, name);
    const std::string whole = name + "-whole";
    expect_trained(ranks, wide(whole, "8", settings), whole);
    expect_same_end(name, whole);
    expect_trained(5 - ranks, {"train", "--resume", name, "--epochs", "9"}, name);
    EXPECT_EQ(state(name).metadata.at("epoch"), "9");
  }
}

TEST_F(RanksRun, RefuseWhatTheyDoNotCarryOutInOneLine) {
  write_films();
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases{
      {{"--model", "ease"}, "found model.kind = \"ease\""},
      {{"--device", "cuda:1"}, "found train.device = \"cuda:1\""},
      {{"--device", "cuda", "--set", "loss.kind=softmax"}, "found loss.kind = \"softmax\""},
      {{"--device", "cuda", "--model", "gcmc"}, "found model.kind = \"gcmc\""},
      {{"--set", "model.width=8"}, "model.width is 8, which at most 1 rank can share"},
      {{"--model", "gcmc", "--set", "model.hidden=[32,8]"},
       "the least of model.hidden is 8, which at most 1 rank can share"},
  };
  for (const auto& [more, message] : cases) {
    std::deque<Child> children = start(2, wide("run", "4", more));
    const std::vector<Outcome> ends = finish(children);
    EXPECT_THAT(ends[0], FailsAtOnceWith(2, message));
    EXPECT_EQ(ends[1].exit_code, 2);
    EXPECT_THAT(ends[1].err, IsEmpty());
    EXPECT_FALSE(exists("run"));
  }
}

/// The stand-in for the CUDA library has two devices.
TEST_F(RanksRun, RefuseMoreRanksThanGpus) {
  write_films();
  std::deque<Child> children = start(3, wide("run", "4", {"--device", "cuda"}), {},
                                     {{"TERN_CUDA_LIBRARY", TERN_FAKE_PLUGIN_FILE}});
  const std::vector<Outcome> ends = finish(children);
  EXPECT_THAT(ends[0],
              FailsAtOnceWith(2, " has no GPU of its own: it sees 2, which others have taken; "));
  EXPECT_THAT(ends[0].err, HasSubstr("rank 2 on host "));
  for (const int other : {1, 2}) {
    EXPECT_EQ(ends[static_cast<std::size_t>(other)].exit_code, 2);
    EXPECT_THAT(ends[static_cast<std::size_t>(other)].err, IsEmpty());
  }
  EXPECT_FALSE(exists("run"));
}

TEST_F(RanksRun, AllEndIfOneIsKilled) {
  write_films();
  for (const std::size_t lost : {1, 0}) {
    const std::string name = "run" + std::to_string(lost);
    std::deque<Child> children = start(3, wide(name, "1000000"));
    ASSERT_TRUE(children[0].wait_for_error_text("epoch       3/1000000"));
    children[lost].kill(SIGKILL);
    const std::vector<Outcome> ends = finish(children);
    EXPECT_EQ(ends[lost].signal, SIGKILL);
    const std::string reason = "rank " + std::to_string(lost) + " on host ";
    for (std::size_t rank = 0; rank < 3; ++rank) {
      if (rank == lost) continue;
      EXPECT_EQ(ends[rank].exit_code, 1) << rank;
      // If rank 0 is alive, it alone reports the loss.
      if (rank == 0 || lost == 0) {
        EXPECT_THAT(ends[rank].err,
                    AllOf(HasSubstr("tern: " + reason),
                          HasSubstr("has ended without a word; continue with: tern train "
                                    "--resume " +
                                    name + "\n")));
      } else {
        EXPECT_THAT(ends[rank].err, IsEmpty());
      }
    }
    const std::string epoch = state(name).metadata.at("epoch");
    const std::string next = std::to_string(std::stoi(epoch) + 1);
    EXPECT_EQ(run({"train", "--resume", name, "--epochs", next}).exit_code, 0);
    EXPECT_EQ(state(name).metadata.at("epoch"), next);
  }
}

/// The others read the same files as rank 0.
TEST_F(RanksRun, EndWithTheSameExitCodeIfTheDataIsWrong) {
  write("broken.tsv", "user\titem\nu1\n");
  std::vector<std::string> arguments = wide("run", "2");
  arguments[1] = "broken.tsv";
  std::deque<Child> children = start(2, arguments);
  for (const Outcome& end : finish(children)) EXPECT_EQ(end.exit_code, 65) << end.err;
}

TEST_F(RanksRun, RollBackTogether) {
  write_films();
  std::deque<Child> children = start(
      2, wide("run", "4", {"--set", "train.on_nan=rollback", "optimizer.learning_rate=1e38"}));
  const std::vector<Outcome> ends = finish(children);
  EXPECT_EQ(ends[0].exit_code, 1);
  EXPECT_THAT(ends[0].err, AllOf(HasSubstr("rolled back to "), HasSubstr("tern: training diverged"),
                                 HasSubstr("after 3 rollbacks")));
  EXPECT_EQ(ends[1].exit_code, 1);
  EXPECT_THAT(ends[1].err, IsEmpty());
}

/// Rank 0 listens at the master's port while it waits for the others.
TEST_F(RanksRun, StopWhileTheyWaitForEachOther) {
  write_films();
  const std::uint16_t port = free_port();
  Streams streams;
  streams.environment = {{"TERN_RANK", "0"},
                         {"TERN_RANKS", "2"},
                         {"TERN_MASTER", "127.0.0.1:" + std::to_string(port)}};
  Child child(directory_, wide("run", "2"), streams);
  const UniqueFd connection =
      distributed::connect_to({"127.0.0.1", port}, Clock::now() + std::chrono::seconds(30));
  child.kill(SIGTERM);
  const Outcome end = child.finish();
  EXPECT_EQ(end.exit_code, 75);
  EXPECT_THAT(end.err, HasSubstr("before there was anything to save"));
}

/// The variables that Open MPI's mpirun sets on one host.
TEST_F(RanksRun, NeedNoMasterUnderMpirun) {
  write_films();
  std::deque<Child> children;
  for (const std::string rank : {"0", "1"}) {
    Streams streams;
    streams.environment = {{"OMPI_COMM_WORLD_RANK", rank},
                           {"OMPI_COMM_WORLD_SIZE", "2"},
                           {"OMPI_COMM_WORLD_LOCAL_SIZE", "2"},
                           {"PMIX_NAMESPACE", temporary_.path().string()}};
    children.emplace_back(directory_, wide("run", "2"), streams);
  }
  for (const Outcome& end : finish(children)) EXPECT_EQ(end.exit_code, 0) << end.err;
}

}  // namespace
}  // namespace tern::test
