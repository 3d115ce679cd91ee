// tern train --resume: resumed runs, refused changes, messages.

#include "tests/cli/resume_workspace.hpp"

namespace tern::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

TEST_F(ResumeRun, GoesOnForMoreEpochs) {
  write_films();
  for (const char* model : {"mf", "lightgcn", "gcmc"}) {
    SCOPED_TRACE(model);
    const std::string whole = std::string("whole-") + model;
    const std::string parts = std::string("parts-") + model;
    ASSERT_EQ(run(command(whole, "8", {"--model", model})).exit_code, 0);
    ASSERT_EQ(run(command(parts, "4", {"--model", model})).exit_code, 0);
    const Outcome more = run({"train", "--resume", parts, "--epochs", "8"});
    ASSERT_EQ(more.exit_code, 0) << more.err;
    EXPECT_EQ(more.out, parts + "\n");
    EXPECT_THAT(more.err, AllOf(HasSubstr("changed: train.epochs = 8, was 4"),
                                HasSubstr("resuming after 4 epochs"),
                                Not(HasSubstr("one uninterrupted training"))));
    expect_same_end(parts, whole);
    EXPECT_EQ(read(parts + "/config.toml"), read(whole + "/config.toml"));
  }
}

TEST_F(ResumeRun, DataFromMemoryHasNoPath) {
  write_films();
  ASSERT_EQ(run(command("run", "1")).exit_code, 0);
  const std::string config = read("run/config.toml");
  const std::size_t place = config.find("path = \"");
  ASSERT_NE(place, std::string::npos);
  const std::size_t end = config.find('\n', place);
  write("run/config.toml", config.substr(0, place) + "path = \"\"" + config.substr(end));
  const Outcome more = run({"train", "--resume", "run", "--epochs", "2"});
  ASSERT_EQ(more.exit_code, 0) << more.err;
  EXPECT_THAT(more.err, HasSubstr("the run's own copy of interactions in memory: users: 24"));
}

TEST_F(ResumeRun, ALastEvaluationOffTheScheduleIsForgotten) {
  write_films();
  // The third epoch is measured because it is the last; a longer training skips it. At this
  // learning rate the best epoch is an early one.
  const auto with = [&](const std::string& name, const std::string& epochs) {
    return run(command(name, epochs, {"--model", "mf", "--set", "optimizer.learning_rate=0.3"}));
  };
  ASSERT_EQ(with("whole", "6").exit_code, 0);
  ASSERT_EQ(with("parts", "3").exit_code, 0);
  ASSERT_EQ(run({"train", "--resume", "parts", "--epochs", "6"}).exit_code, 0);
  expect_same_end("parts", "whole");
  const auto evaluated = [&](const std::string& name) {
    return run({"evaluate", name, "--json", "--quiet"}).out;
  };
  const std::string expected = evaluated("whole");
  EXPECT_FALSE(expected.empty());
  EXPECT_EQ(evaluated("parts").substr(evaluated("parts").find("split")),
            expected.substr(expected.find("split")));
}

TEST_F(ResumeRun, AFinishedRunIsLeftAlone) {
  write_films();
  ASSERT_EQ(run(command("run", "3")).exit_code, 0);
  const std::string before = read(checkpoint("run", "epoch-"));
  const std::string config = read("run/config.toml");
  for (const char* epochs : {"3", "2"}) {
    const Outcome again =
        run({"train", "--resume", "run", "--epochs", epochs, "--set", "train.metric=recall@5"});
    EXPECT_EQ(again.exit_code, 0);
    EXPECT_EQ(again.out, "run\n");
    EXPECT_THAT(again.err, HasSubstr("nothing to do: the run has 3 epochs, train.epochs is " +
                                     std::string(epochs)));
  }
  EXPECT_EQ(read(checkpoint("run", "epoch-")), before);
  EXPECT_EQ(read("run/config.toml"), config);
}

TEST_F(ResumeRun, ATrainedRunWithoutCheckpointsIsNotTrainedAnew) {
  write_films();
  ASSERT_EQ(run(command("run", "3")).exit_code, 0);
  const std::string embeddings = read("run/embeddings.safetensors");
  const std::string metrics = read("run/metrics.jsonl");
  std::filesystem::remove_all(path("run/checkpoints"));
  for (const char* epochs : {"3", "6"}) {
    const Outcome refused = run({"train", "--resume", "run", "--epochs", epochs});
    EXPECT_EQ(refused.exit_code, 65);
    EXPECT_THAT(refused.err, HasSubstr("no checkpoint to resume from: put its checkpoints back"));
  }
  EXPECT_EQ(read("run/embeddings.safetensors"), embeddings);
  EXPECT_EQ(read("run/metrics.jsonl"), metrics);
}

TEST_F(ResumeRun, AStopByTheCollapseMonitorIsRemembered) {
  write_films();
  const Outcome first = run(
      command("run", "6", {"--set", "monitor.max_norm=1e-6", "--set", "monitor.on_collapse=stop"}));
  EXPECT_EQ(first.exit_code, 1);
  const std::string way_on =
      "to train on anyway: tern train --resume run --set "
      "monitor.on_collapse=warn";
  EXPECT_THAT(first.err, AllOf(HasSubstr("stopped because embeddings collapsed"),
                               HasSubstr("trained 1 epoch;"), HasSubstr(way_on)));
  for (const char* epochs : {"6", "9", "1"}) {
    const Outcome again = run({"train", "--resume", "run", "--epochs", epochs});
    EXPECT_EQ(again.exit_code, 1) << again.err;
    EXPECT_EQ(again.out, "run\n");
    EXPECT_THAT(again.err, AllOf(HasSubstr("nothing to do: after 1 epoch the embeddings had "
                                           "collapsed, and monitor.on_collapse is stop"),
                                 HasSubstr(way_on)));
  }
  EXPECT_THAT(lines(read("run/metrics.jsonl")), SizeIs(1));
  // Another limit is tried.
  EXPECT_EQ(run({"train", "--resume", "run", "--set", "monitor.max_norm=1e-5"}).exit_code, 1);
  EXPECT_THAT(lines(read("run/metrics.jsonl")), SizeIs(2));
  const Outcome on = run({"train", "--resume", "run", "--set", "monitor.on_collapse=warn"});
  EXPECT_EQ(on.exit_code, 0) << on.err;
  EXPECT_THAT(on.err, HasSubstr("warning: the mean norm of users"));
  EXPECT_THAT(lines(read("run/metrics.jsonl")), SizeIs(6));
}

TEST_F(ResumeRun, AKeyOfAnEarlierVersionIsReportedOnce) {
  write_films();
  ASSERT_EQ(run(command("run", "2")).exit_code, 0);
  std::string config = read("run/config.toml");
  config.replace(config.find("min_rank = 2.0"), 14, "min_rank_share = 0.1");
  write("run/config.toml", config);
  const auto resumed = [&](const std::string& epochs) {
    return run({"train", "--resume", "run", "--epochs", epochs});
  };
  EXPECT_THAT(resumed("3").err, HasSubstr("monitor.min_rank_share is ignored, because this version "
                                          "has monitor.min_rank ("));
  EXPECT_THAT(resumed("4").err, Not(HasSubstr("min_rank_share")));
  write("old.toml", "[monitor]\nmin_rank_share = 0.1\n");
  EXPECT_THAT(run(command("new", "1", {"--config", "old.toml"})).err,
              HasSubstr("old.toml:2: monitor.min_rank_share is ignored"));
}

TEST_F(ResumeRun, TheSameCommandBeginsAndGoesOn) {
  write_films();
  std::vector<std::string> same = command("run", "6", {"--resume"});
  const Outcome first = run(same);
  ASSERT_EQ(first.exit_code, 0) << first.err;
  EXPECT_THAT(first.err, Not(HasSubstr("resuming")));
  same[5] = "8";
  const Outcome second = run(same);
  ASSERT_EQ(second.exit_code, 0) << second.err;
  EXPECT_THAT(second.err, HasSubstr("resuming after 6 epochs"));
  EXPECT_THAT(lines(read("run/metrics.jsonl")), SizeIs(8));
}

TEST_F(ResumeRun, SaysWhatDoesNotFit) {
  write_films();
  ASSERT_EQ(run(command("run", "2")).exit_code, 0);
  const auto resumed = [&](const std::vector<std::string>& more) {
    std::vector<std::string> arguments{"train", "--resume", "run", "--epochs", "4"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(arguments);
  };
  EXPECT_THAT(resumed({"--set", "model.width=16"}),
              FailsAtOnceWith(2, "trained with model.width = 8, found 16"));
  EXPECT_THAT(resumed({"--model", "mf"}), FailsAtOnceWith(2, "model.kind = \"lightgcn\", found"));
  EXPECT_THAT(resumed({"--set", "data.k_core=2"}), FailsAtOnceWith(2, "data.k_core = 0, found 2"));
  EXPECT_THAT(resumed({"--set", "optimizer.kind=sgd"}), FailsAtOnceWith(2, "optimizer.kind"));
  EXPECT_THAT(resumed({"--out", "other"}), FailsAtOnceWith(2, "expected one of them"));
  EXPECT_THAT(resumed({"--overwrite"}), FailsAtOnceWith(2, "either --resume or --overwrite"));
  EXPECT_THAT(run({"train", "films", "--resume"}), FailsAtOnceWith(2, "the run is missing"));
  EXPECT_THAT(run({"train", "--resume", "nowhere"}),
              FailsWith(2, "nowhere is no run: name a run to resume, or DATA to start one with"));
  EXPECT_THAT(resumed({"--verify-determinism"}), FailsAtOnceWith(2, "writes no run"));
  write("others/interactions.tsv", "a\tb\na\tc\nd\tb\ne\tc\n");
  EXPECT_THAT(resumed({"others"}),
              FailsAtOnceWith(65, "has changed since the run in run: found 3"));
  // The run is unchanged.
  EXPECT_EQ(resumed({}).exit_code, 0);
  EXPECT_THAT(lines(read("run/metrics.jsonl")), SizeIs(4));
}

TEST_F(ResumeRun, AllowsAndTellsOtherChanges) {
  write_films();
  ASSERT_EQ(run(command("run", "2")).exit_code, 0);
  const Outcome other = run({"train", "--resume", "run", "--epochs", "4", "--set",
                             "optimizer.learning_rate=0.01", "--threads", "1"});
  ASSERT_EQ(other.exit_code, 0) << other.err;
  EXPECT_THAT(other.err, AllOf(HasSubstr("changed: optimizer.learning_rate = 0.01, was 0.001"),
                               HasSubstr("differs from that of one uninterrupted training")));
  EXPECT_THAT(read("run/config.toml"), HasSubstr("learning_rate = 0.01"));
}

TEST_F(ResumeRun, ADamagedCheckpointGivesWayToTheOneBefore) {
  write_films();
  ASSERT_EQ(run(command("whole", "6")).exit_code, 0);
  ASSERT_EQ(run(command("run", "4")).exit_code, 0);
  const std::string newest = checkpoint("run", "epoch-");
  std::string bytes = read(newest);
  bytes[bytes.size() / 2] ^= 8;
  write(newest, bytes);
  const Outcome more = run({"train", "--resume", "run", "--epochs", "6"});
  ASSERT_EQ(more.exit_code, 0) << more.err;
  EXPECT_THAT(more.err, AllOf(HasSubstr("warning: "), HasSubstr("the checkpoint is damaged"),
                              HasSubstr("resuming after 3 epochs")));
  expect_same_end("run", "whole");
}

TEST_F(ResumeRun, WithoutAWholeCheckpointItDoesNotBeginAnewByItself) {
  write_films();
  ASSERT_EQ(run(command("run", "2")).exit_code, 0);
  const std::string metrics = read("run/metrics.jsonl");
  for (const char* name : {"000001", "000002"}) {
    write("run/checkpoints/epoch-" + std::string(name) + ".safetensors", "nonsense");
  }
  EXPECT_THAT(run({"train", "--resume", "run", "--epochs", "3"}),
              FailsWith(1, "(no other checkpoint is left: --overwrite starts anew)"));
  EXPECT_EQ(read("run/metrics.jsonl"), metrics);
}

TEST_F(ResumeRun, EverythingSaidIsLogged) {
  write_films();
  ASSERT_EQ(run(command("run", "2", {"--quiet"})).exit_code, 0);
  const std::vector<std::string> log = lines(read("run/log.txt"));
  for (const std::string& line : log) {
    EXPECT_THAT(line, testing::ContainsRegex(
                          "^20[0-9][0-9]-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9]\\."
                          "[0-9][0-9][0-9]Z (info   |warning|error  ) ."));
  }
  EXPECT_THAT(log,
              testing::Contains(HasSubstr("info    Users: 24")));  // logged before the run existed
  EXPECT_THAT(log, testing::Contains(HasSubstr("info    epoch 2/2")));
  // Errors are in the run's log too.
  EXPECT_EQ(run({"train", "--resume", "run", "--epochs", "3", "--set",
                 "optimizer.learning_rate=1e38", "--quiet"})
                .exit_code,
            1);
  EXPECT_THAT(lines(read("run/log.txt")).back(), HasSubstr("error   training diverged"));
}

TEST_F(ResumeRun, RollsBackWithHalfTheLearningRate) {
  write_films();
  const auto with = [&](const std::string& rollbacks) {
    return run(command("run" + rollbacks, "3",
                       {"--on-nan", "rollback", "--set", "optimizer.learning_rate=1e38", "--set",
                        "train.max_rollbacks=" + rollbacks}));
  };
  const Outcome few = with("2");
  EXPECT_THAT(few, FailsWith(1, "after 2 rollbacks with half the learning rate"));
  EXPECT_THAT(few.err, HasSubstr("rolled back to 0 epochs and 0 of "));
  EXPECT_THAT(few.err, HasSubstr("halved 2 of 2 times"));
  // Training completes if halving the learning rate is enough.
  const Outcome enough = with("100");
  EXPECT_EQ(enough.exit_code, 0) << enough.err;
  EXPECT_GT(std::stoi(state("run100").metadata.at("rollbacks")), 3);
  EXPECT_THAT(lines(read("run100/metrics.jsonl")), SizeIs(3));
}

TEST_F(ResumeRun, OneJobADirectory) {
  write_films();
  Child first(directory_, command("run", "100000000", {"--set", "train.patience=0"}));
  ASSERT_TRUE(first.wait_until([&] { return exists("run/run.json"); }));
  EXPECT_THAT(run({"train", "--resume", "run"}),
              FailsAtOnceWith(1, "run: the run is in use by process "));
  EXPECT_THAT(run(command("run", "2", {"--overwrite"})),
              FailsWith(1, "run: the run is in use by process "));
  first.kill(SIGTERM);
  EXPECT_EQ(first.finish().exit_code, 75);
  EXPECT_EQ(run({"train", "--resume", "run", "--epochs", "1"}).exit_code, 0);
}

TEST_F(ResumeRun, DeterminismCanBeVerified) {
  write_films();
  for (const char* model : {"mf", "lightgcn", "gcmc"}) {
    const Outcome outcome = run({"train", "films", "--verify-determinism", "--model", model});
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
    const std::vector<std::string> table = lines(outcome.out);
    ASSERT_THAT(table, SizeIs(7));
    EXPECT_THAT(table[0], HasSubstr(std::string("20 steps of ") + model));
    EXPECT_THAT(table[2], HasSubstr("baseline"));
    for (std::size_t row = 3; row < 7; ++row) {
      EXPECT_THAT(table[row], testing::ContainsRegex("^cpu +(all|1|2|3) +equal"));
    }
  }
  EXPECT_FALSE(exists("runs"));  // nothing is written
}

}  // namespace
}  // namespace tern::test
