// Signals in every phase, kills at random instants, full disks: what is left can be resumed.

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <random>

#include "tests/cli/resume_workspace.hpp"

namespace tern::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

using InterruptedRun = ResumeRun;

// --- Signals ---

TEST_F(InterruptedRun, SignalsInTrainingLeaveAStateToGoOnFrom) {
  write_films();
  ASSERT_EQ(run(command("whole", "40", {"--set", "train.patience=0"})).exit_code, 0);
  for (const int signal : {SIGTERM, SIGINT, SIGUSR1, SIGHUP}) {
    SCOPED_TRACE(signal);
    const std::string name = "run" + std::to_string(signal);
    Child child(directory_, command(name, "40", {"--set", "train.patience=0"}));
    ASSERT_TRUE(child.wait_for_error_text("epoch  3/40"));
    child.kill(signal);
    const Outcome outcome = child.finish();
    EXPECT_EQ(outcome.exit_code, 75) << outcome.err;
    EXPECT_EQ(outcome.out, name + "\n");
    EXPECT_THAT(outcome.err, HasSubstr("continue with: tern train --resume " + name));
    EXPECT_EQ(run({"evaluate", name, "--quiet"}).exit_code, 0);
    ASSERT_EQ(run({"train", "--resume", name, "--quiet"}).exit_code, 0);
    expect_same_end(name, "whole");
  }
}

TEST_F(InterruptedRun, BeforeAnEvaluationHasALastEpochAndNoBest) {
  write_films();
  Child child(directory_,
              command("run", "1000000", {"--set", "train.patience=0", "train.evaluate_every=0"}));
  ASSERT_TRUE(child.wait_for_error_text("epoch       3/1000000"));
  child.kill(SIGTERM);
  const Outcome outcome = child.finish();
  ASSERT_EQ(outcome.exit_code, 75) << outcome.err;
  EXPECT_THAT(outcome.err, Not(HasSubstr("best")));
  const std::string epoch = state("run").metadata.at("epoch");
  EXPECT_THAT(run({"evaluate", "run"}).out, HasSubstr("lightgcn, epoch " + epoch + " (last)"));
  EXPECT_THAT(run({"evaluate", "run", "--json"}).out, HasSubstr("\"checkpoint\":\"last\""));
  EXPECT_EQ(run({"evaluate", "run", "--checkpoint", "last"}).out, run({"evaluate", "run"}).out);
}

TEST_F(InterruptedRun, NohupAndBackgroundJobsKeepTheirIgnoredSignals) {
  write_films();
  Streams ignoring;
  ignoring.ignored_signals = {SIGHUP, SIGINT};
  Child child(directory_, command("run", "20", {"--set", "train.patience=0"}), ignoring);
  ASSERT_TRUE(child.wait_for_error_text("epoch  3/20"));
  child.kill(SIGHUP);
  child.kill(SIGINT);
  EXPECT_EQ(child.finish().exit_code, 0);
}

TEST_F(InterruptedRun, ASignalWhileReadingEndsAtOnce) {
  // Nobody writes to this pipe: the program waits for its data.
  std::filesystem::create_directories(path("slow"));
  ASSERT_EQ(::mkfifo(path("slow/interactions.tsv").c_str(), 0600), 0);
  for (const int signal : {SIGTERM, SIGINT, SIGUSR1}) {
    Child child(directory_, {"train", "slow", "--out", "run"});
    ASSERT_TRUE(child.wait_for_handler(signal, true));
    child.kill(signal);
    const Outcome outcome = child.finish();
    EXPECT_EQ(outcome.exit_code, 75) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr("before there was anything to save"));
    EXPECT_THAT(outcome.out, IsEmpty());
    EXPECT_FALSE(exists("run"));
  }
}

TEST_F(InterruptedRun, ASignalInAnEvaluationIsNotKeptWaiting) {
  ASSERT_EQ(run({"generate", "--to", "data", "--users", "20000", "--items", "3000",
                 "--interactions", "60000", "--quiet"})
                .exit_code,
            0);
  const std::vector<std::string> job{"train",    "data",
                                     "--model",  "mf",
                                     "--epochs", "2",
                                     "--set",    "train.evaluate_every=1",
                                     "--set",    "train.batch_size=60000"};
  std::vector<std::string> whole = job;
  whole.insert(whole.end(), {"--out", "whole", "--quiet"});
  ASSERT_EQ(run(whole).exit_code, 0);
  // Epochs of one step, each followed by an evaluation, which takes most of the time.
  std::vector<std::string> arguments = job;
  arguments.insert(arguments.end(), {"--out", "run"});
  // No line tells when one begins: halve the time between a signal that came before a step and one that
  // came after the end. Other programs make all last longer at times, so begin again then.
  std::int64_t early = 0;
  std::int64_t late = 0;
  bool interrupted = false;
  for (int attempt = 0; attempt < 100 && !interrupted; ++attempt) {
    if (late != 0 && late - early < 500) early = late = 0;
    const std::int64_t delay = late == 0 ? 2 * early + 10'000 : (early + late) / 2;
    std::filesystem::remove_all(path("run"));
    Child child(directory_, arguments);
    ASSERT_TRUE(child.wait_until([&] { return exists("run/run.json"); }));
    ::usleep(static_cast<useconds_t>(delay));
    child.kill(SIGTERM);
    const Outcome outcome = child.finish();
    if (outcome.exit_code == 0) {
      late = delay;
      continue;
    }
    ASSERT_EQ(outcome.exit_code, 75) << outcome.err;
    interrupted = state("run").metadata.at("step") != "0";
    if (!interrupted) {
      early = delay;
      continue;
    }
    ASSERT_EQ(run({"train", "--resume", "run", "--quiet"}).exit_code, 0);
    expect_same_end("run", "whole");
  }
  EXPECT_TRUE(interrupted) << "no signal came between the last step and the end of an epoch";
}

// --- Disks ---

TEST_F(InterruptedRun, AFullDiskIsOneClearLineAndLosesNothing) {
  write_films();
  const std::vector<std::string> job{"--model", "mf", "--set", "train.patience=0"};
  ASSERT_EQ(run(command("whole", "6", job)).exit_code, 0);
  std::uintmax_t total = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(path("whole"))) {
    if (entry.is_regular_file()) total += entry.file_size();
  }
  int begun = 0;
  int completed = 0;
  for (std::uintmax_t room = 0; room < 2 * total; room += 1 + total / 10) {
    SCOPED_TRACE(room);
    const Streams full = troubled("TERN_FULL_AFTER", std::to_string(room));
    const Outcome outcome = run(command("run", "6", job), full);
    // The last file of a run can be computed from the others: its lack is no failure.
    if (outcome.exit_code == 0) {
      EXPECT_THAT(outcome.err, HasSubstr("warning: the final embeddings were not written"));
      ++completed;
    } else {
      ASSERT_THAT(outcome, FailsWith(1, "No space left on device"));
    }
    EXPECT_THAT(temporary_files("run"), IsEmpty());
    for (const char* stem : {"epoch-", "best-"}) {
      const std::string file = checkpoint("run", stem);
      if (!file.empty()) read_safetensors(path(file));  // throws on an incomplete file
    }
    // With enough space again, the same command with --resume completes the run.
    if (exists("run/run.json")) ++begun;
    std::vector<std::string> again = job;
    again.emplace_back("--resume");
    const Outcome mended = run(command("run", "6", again));
    ASSERT_EQ(mended.exit_code, 0) << mended.err;
    expect_same_end("run", "whole");
    EXPECT_EQ(read("run/embeddings.safetensors"), read("whole/embeddings.safetensors"));
    std::filesystem::remove_all(path("run"));
  }
  EXPECT_GT(begun, 3);
  EXPECT_LE(completed, 1);
}

TEST_F(InterruptedRun, NoRoomIsToldBeforeTraining) {
  write_films();
  const Outcome outcome = run(command("run", "2"), troubled("TERN_FREE", "12288"));
  EXPECT_THAT(outcome, FailsWith(1, "run: not enough disk space for the run: 21 kB needed"));
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("12 kB free"), HasSubstr("checkpoint.keep")));
  EXPECT_FALSE(exists("run"));
  EXPECT_EQ(run(command("run", "2"), troubled("TERN_FREE", "24576")).exit_code, 0);
  // TensorBoard's projector takes its part.
  const Outcome projected =
      run(command("board", "2", {"--set", "log.tensorboard=true"}), troubled("TERN_FREE", "24576"));
  EXPECT_THAT(projected, FailsWith(1, "those of TensorBoard's projector and a copy of the data"));
  EXPECT_FALSE(exists("board"));
}

TEST_F(InterruptedRun, DirectoriesThatCannotBeWrittenToAreNamed) {
  write_films();
  EXPECT_THAT(run(command("/proc/nowhere/run", "2")),
              FailsWith(1, "/proc/nowhere/run: the directory cannot be created: "));
  write("file", "mine");
  EXPECT_THAT(run(command("file", "2")), FailsWith(1, "file: the directory cannot be created: "));
  EXPECT_EQ(read("file"), "mine");
}

// --- Kills ---

/// The number of kills, from TERN_KILLS; the default keeps the test short.
int number_of_kills() {
  const char* text = std::getenv("TERN_KILLS");
  return text == nullptr ? 12 : std::atoi(text);
}

TEST_F(InterruptedRun, KillsAtRandomInstantsLoseNothing) {
  write_films();
  const std::vector<std::string> every_job{"--model", "gcmc", "--resume", "--set",
                                           "train.patience=0"};
  ASSERT_EQ(run(command("whole", "12", every_job)).exit_code, 0);
  std::mt19937 random(11);
  int kills = 0;
  int within_writing = 0;
  for (int trial = 0; kills < number_of_kills(); ++trial) {
    ASSERT_LT(trial, 20 * number_of_kills());
    const std::string name = "run" + std::to_string(trial);
    // A checkpoint at every epoch, at nearly every step, or none before the end.
    std::vector<std::string> job = every_job;
    if (trial % 3 == 1) job.emplace_back("checkpoint.every_minutes=0.00001");
    if (trial % 3 == 2) job.emplace_back("checkpoint.every_epochs=0");
    const Streams slow = troubled("TERN_SLOW_FILES", random() % 2 == 0 ? "200" : "2000");
    // A run may be killed several times before it completes.
    for (bool finished = false; !finished;) {
      Child child(directory_, command(name, "12", job), slow);
      ::usleep(static_cast<useconds_t>(random() % 400'000));
      child.kill(SIGKILL);
      const Outcome outcome = child.finish();
      finished = outcome.exit_code == 0;
      ASSERT_TRUE(finished || outcome.signal == SIGKILL) << outcome.exit_code << outcome.err;
      if (!finished) ++kills;
      if (exists(name) && !temporary_files(name).empty()) ++within_writing;
      if (random() % 3 == 0) break;
    }
    const Outcome last = run(command(name, "12", job));
    ASSERT_EQ(last.exit_code, 0) << last.err;
    EXPECT_THAT(temporary_files(name), IsEmpty());
    expect_same_end(name, "whole");
    for (const char* file : {"embeddings", "interactions"}) {
      const std::string both = "/" + std::string(file) + ".safetensors";
      EXPECT_EQ(read(name + both), read("whole" + both));
    }
    std::filesystem::remove_all(path(name));
  }
  EXPECT_GT(within_writing, 0) << "of " << kills << " kills none came within the writing of a file";
  RecordProperty("kills", kills);
  RecordProperty("within_writing", within_writing);
}

TEST_F(InterruptedRun, ARollbackCanBeStoppedAndResumed) {
  // Checkpoints at every step, but the newest ones cannot avoid the fault: only an older one, or
  // the beginning, can.
  write_films();
  const std::vector<std::string> job{"--model",
                                     "mf",
                                     "--on-nan",
                                     "rollback",
                                     "--set",
                                     "optimizer.learning_rate=1e22",
                                     "train.max_rollbacks=100",
                                     "checkpoint.every_minutes=1e-9",
                                     "train.patience=0"};
  ASSERT_EQ(run(command("whole", "4", job)).exit_code, 0);
  Child child(directory_, command("run", "4", job), troubled("TERN_SLOW_FILES", "3000"));
  ASSERT_TRUE(child.wait_for_error_text("rolled back"));
  child.kill(SIGTERM);
  const Outcome outcome = child.finish();
  ASSERT_EQ(outcome.exit_code, 75) << outcome.err;
  const Outcome more = run({"train", "--resume", "run"});
  ASSERT_EQ(more.exit_code, 0) << more.err;
  EXPECT_THAT(lines(read("run/metrics.jsonl")), SizeIs(4));
  EXPECT_EQ(run({"evaluate", "run", "--quiet"}).exit_code, 0);
}

}  // namespace
}  // namespace tern::test
