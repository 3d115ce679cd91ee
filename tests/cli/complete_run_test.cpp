// A run directory needs nothing but itself: the data may be gone, the directory moved and read-only.

#include <sys/stat.h>

#include <map>
#include <utility>

#include "tests/cli/resume_workspace.hpp"

namespace tern::test {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class CompleteRun : public ResumeRun {
 protected:
  ~CompleteRun() override { set_writable(true); }

  void write_film_features() const {
    std::string films = "film\tkind\n";
    for (int n = 0; n < 20; ++n) films += film_name(n) + (n % 2 == 0 ? "\tdrama\n" : "\thorror\n");
    write("films/item_features.tsv", films);
    write("new.tsv", "film\tkind\nnew drama\tdrama\nnew horror\thorror\n");
  }

  /// Trains, removes the data, and moves the run to a place that cannot be written to.
  void train_and_move(const std::string& model, const std::vector<std::string>& more = {}) const {
    std::vector<std::string> arguments{"--quiet", "--model", model, "--overwrite"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Outcome outcome = train_films(arguments);
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  }
  void move_away() const {
    fs::remove_all(path("films"));
    fs::create_directories(path("else/where"));
    fs::rename(path("run"), path("else/where/served"));
    set_writable(false);
  }
  void set_writable(bool writable) const {
    std::error_code ignored;
    for (const char* name : {"else/where/served", "else/where/served/checkpoints"}) {
      fs::permissions(path(name), fs::perms::owner_write,
                      writable ? fs::perm_options::add : fs::perm_options::remove, ignored);
    }
  }
  /// The output of a subcommand for a run, from another working directory.
  Outcome read_run(const std::string& folder, const std::string& run_name,
                   std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin() + 1, run_name);
    return Child(path(folder), arguments).finish();
  }
  /// Every file and folder of a run, with its size and the time of its last change.
  std::map<std::string, std::pair<std::int64_t, std::int64_t>> state_of_files(
      const std::string& name) const {
    std::map<std::string, std::pair<std::int64_t, std::int64_t>> found;
    const auto add = [&](const fs::path& file) {
      struct stat status {};
      EXPECT_EQ(::stat(file.c_str(), &status), 0);
      found[file.string()] = {status.st_size,
                              status.st_mtim.tv_sec * 1'000'000'000 + status.st_mtim.tv_nsec};
    };
    add(path(name));
    for (const auto& entry : fs::recursive_directory_iterator(path(name))) add(entry.path());
    return found;
  }
  static const std::vector<std::vector<std::string>>& readers() {
    static const std::vector<std::vector<std::string>> commands{
        {"recommend", "--all", "-k", "5", "--mark-held-out"},
        {"recommend", "--user", "drama fan 2", "-k", "3", "--include-observed"},
        {"recommend", "--all", "-k", "5", "--checkpoint", "last"},
        {"similar", "--item", "drama-0", "-k", "3"},
        {"similar", "--user", "horror fan 1", "-k", "3"},
        {"evaluate", "--json", "--baselines", "--split", "valid"},
        {"evaluate", "--json"}};
    return commands;
  }
};

TEST_F(CompleteRun, AnswersWithoutItsDataFromAnotherPlace) {
  for (const char* model : {"lightgcn", "mf", "gcmc"}) {
    SCOPED_TRACE(model);
    set_writable(true);
    fs::remove_all(path("else"));
    write_film_features();
    train_and_move(model);
    std::vector<std::vector<std::string>> commands = readers();
    write("pairs.tsv", "drama fan 2\tdrama-0\nhorror fan 1\tdrama-2\n");
    commands.push_back({"score", "--pairs", path("pairs.tsv").string(), "--quiet"});
    write("new.tsv", "alice\tdrama-0\n");
    if (std::string(model) == "lightgcn") {
      commands.push_back({"recommend", "--history", path("new.tsv").string(), "--quiet"});
    }
    std::vector<std::string> before;
    for (const auto& command : commands) before.push_back(read_run(".", "run", command).out);
    move_away();
    const auto files = state_of_files("else/where/served");
    for (std::size_t i = 0; i < commands.size(); ++i) {
      const Outcome after = read_run("else", "where/served", commands[i]);
      EXPECT_EQ(after.exit_code, 0) << after.err;
      EXPECT_THAT(after.err, IsEmpty());
      const auto without_name = [](std::string text) {  // evaluate names the run
        return text.substr(std::min(text.size(), text.find("\"model\"")));
      };
      const bool names_run = commands[i][0] == "evaluate";
      EXPECT_EQ(names_run ? without_name(after.out) : after.out,
                names_run ? without_name(before[i]) : before[i])
          << commands[i][0];
      EXPECT_THAT(after.out, Not(IsEmpty()));
    }
    for (const char* format : {"npy", "safetensors"}) {
      const Outcome outcome =
          read_run("else", "where/served", {"export", "--to", "../out", "--format", format});
      EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    }
    EXPECT_EQ(state_of_files("else/where/served"), files) << "a reader wrote into the run";
  }
}

TEST_F(CompleteRun, GivesTheSameAnswersFromItsCheckpointAlone) {
  write_film_features();
  for (const char* model : {"lightgcn", "gcmc"}) {
    train_and_move(model);
    const std::vector<std::string> command{"recommend", "run", "--all", "-k", "20"};
    const std::string quick = run(command).out;
    fs::remove(path("run/embeddings.safetensors"));
    EXPECT_EQ(run(command).out, quick) << model;
  }
}

TEST_F(CompleteRun, NeedsNoCheckpointToBeServed) {
  train_and_move("lightgcn");
  const std::vector<std::string> command{"recommend", "run", "--all", "-k", "20"};
  const std::string before = run(command).out;
  fs::remove_all(path("run/checkpoints"));
  EXPECT_EQ(run(command).out, before);
  EXPECT_THAT(run({"recommend", "run", "--all", "--checkpoint", "last"}),
              FailsAtOnceWith(65, "no checkpoint"));
}

TEST_F(CompleteRun, PlacesNewItemsWithoutTheData) {
  write_film_features();
  train_and_move("gcmc");
  const std::vector<std::string> command{"recommend", "--user", "drama fan 0", "-k", "22"};
  std::vector<std::string> with = command;
  with.insert(with.end(), {"--new-items", path("new.tsv").string()});
  const Outcome before = read_run(".", "run", with);
  ASSERT_EQ(before.exit_code, 0) << before.err;
  EXPECT_THAT(before.out, HasSubstr("new drama"));
  move_away();
  EXPECT_EQ(read_run("else", "where/served", with).out, before.out);
}

TEST_F(CompleteRun, TrainsOnWithItsOwnCopy) {
  write_films();
  ASSERT_EQ(run(command("whole", "6")).exit_code, 0);
  ASSERT_EQ(run(command("run", "3")).exit_code, 0);
  fs::remove_all(path("films"));
  fs::rename(path("run"), path("moved"));
  const Outcome more = run({"train", "--resume", "moved", "--epochs", "6"});
  ASSERT_EQ(more.exit_code, 0) << more.err;
  EXPECT_THAT(more.err, HasSubstr("The data is the run's own copy of " + path("films").string()));
  expect_same_end("moved", "whole");
  EXPECT_EQ(read("moved/embeddings.safetensors"), read("whole/embeddings.safetensors"));
}

TEST_F(CompleteRun, DataThatIsGivenIsComparedAndDataThatIsGoneIsNot) {
  write_films();
  ASSERT_EQ(run(command("run", "2")).exit_code, 0);
  const std::vector<std::string> again = command("run", "3", {"--resume"});
  write("films/interactions.tsv", read("films/interactions.tsv") + "someone new\tdrama-0\n");
  EXPECT_THAT(run(again),
              AllOf(FailsAtOnceWith(65, "the data has changed since the run"),
                    FailsAtOnceWith(65, "tern train --resume run, without DATA, continues")));
  EXPECT_EQ(run({"train", "--resume", "run", "--epochs", "3"}).exit_code, 0);
  // Another path is a slip, the path of before is one that is gone.
  EXPECT_THAT(run({"train", "fims", "--out", "run", "--resume", "--epochs", "4"}),
              FailsAtOnceWith(65, "fims"));
  fs::remove_all(path("films"));
  const Outcome gone = run(command("run", "4", {"--resume"}));
  EXPECT_EQ(gone.exit_code, 0) << gone.err;
  EXPECT_THAT(gone.err, HasSubstr("films is gone: the run's own copy of the data is used"));
}

TEST_F(CompleteRun, AFinishedRunGetsTheEmbeddingsThatItLacks) {
  write_films();
  ASSERT_EQ(run(command("run", "2")).exit_code, 0);
  const std::string file = "run/embeddings.safetensors";
  const std::string before = read(file);
  fs::remove(path(file));
  const Outcome again = run({"train", "--resume", "run"});
  EXPECT_EQ(again.exit_code, 0) << again.err;
  EXPECT_THAT(again.err, HasSubstr("nothing to do: the run has 2 epochs"));
  EXPECT_EQ(read(file), before);
  EXPECT_THAT(again.err, Not(HasSubstr("Memory:")));  // nothing is rehearsed
}

TEST_F(CompleteRun, RunsOfOldVersionsBecomeComplete) {
  write_films();
  ASSERT_EQ(run(command("run", "2")).exit_code, 0);
  for (const char* name : {"embeddings", "interactions"}) {
    fs::remove(path("run/" + std::string(name) + ".safetensors"));
  }
  const std::vector<std::string> ask{"recommend", "run", "--all", "-k", "3"};
  const std::string before = run(ask).out;
  EXPECT_THAT(before, HasSubstr("drama fan 0"));
  fs::rename(path("films"), path("away"));
  EXPECT_THAT(run(ask), FailsAtOnceWith(65, "run: the run holds no copy of its data"));
  fs::rename(path("away"), path("films"));
  const Outcome again = run({"train", "--resume", "run"});
  EXPECT_THAT(again.err,
              AllOf(HasSubstr("run now holds a copy of its data"), HasSubstr("nothing to do")));
  fs::remove_all(path("films"));
  EXPECT_EQ(run(ask).out, before);
}

// The thresholds of sl@k are part of its states. Without a validation split, the best epoch is the last.
TEST_F(CompleteRun, AStateOfTheLossIsNoParameter) {
  for (const char* share : {"0.1", "0"}) {
    SCOPED_TRACE(share);
    const std::string split = std::string("data.valid_fraction=") + share;
    ASSERT_EQ(train_films({"--overwrite", "--set", "loss.kind=sl@k", "--set", split}).exit_code, 0);
    for (const char* checkpoint : {"best", "last"}) {
      const Outcome outcome =
          run({"recommend", "run", "--all", "-k", "3", "--checkpoint", checkpoint});
      EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
      EXPECT_EQ(run({"evaluate", "run", "--checkpoint", checkpoint}).exit_code, 0);
    }
  }
}

}  // namespace
}  // namespace tern::test
