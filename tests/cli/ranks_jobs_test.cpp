// What several ranks do beside training: end together when one is lost, search, verify, and show themselves.

#include <signal.h>
#include <sys/stat.h>

#include <algorithm>
#include <random>

#include "tests/cli/ranks_workspace.hpp"

namespace tern::test {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

class RanksJobs : public RanksRun {};

/// Rank 1 opens a pipe that nobody writes to: it hangs, and its watch sends beats.
TEST_F(RanksJobs, AllEndIfOneHangsInItsOwnWork) {
  std::string table;
  for (int user = 0; user < 24; ++user) {
    for (int item = user % 5; item < 20; item += 1 + user % 3) {
      table += "u" + std::to_string(user) + "\ti" + std::to_string(item) + "\n";
    }
  }
  write("films.tsv", table);
  const std::string data = "/proc/self/cwd/films.tsv";
  std::vector<std::string> arguments = wide("run", "2");
  arguments[1] = data;
  ASSERT_EQ(run(arguments).exit_code, 0);
  std::filesystem::create_directory(path("elsewhere"));
  ASSERT_EQ(::mkfifo(path("elsewhere/films.tsv").c_str(), 0600), 0);
  arguments = wide("run", "4", {"--resume", "--timeout", "2"});
  arguments[1] = data;
  std::deque<Child> children = start(2, arguments, path("elsewhere"));
  const std::vector<Outcome> ends = finish(children);
  EXPECT_THAT(ends[0].err,
              AllOf(HasSubstr("tern: rank 1 on host "), HasSubstr(" hangs: rank 0 on "),
                    HasSubstr("; continue with: tern train --resume run\n")));
  for (const Outcome& end : ends) EXPECT_EQ(end.exit_code, 1);
  EXPECT_THAT(ends[1].err, IsEmpty());
  EXPECT_EQ(run({"train", "--resume", "run", "--epochs", "4"}).exit_code, 0);
  EXPECT_EQ(losses("run").size(), 4U);
}

/// A job of which one rank is killed or stopped.
struct Victim {
  std::string run;
  int ranks = 0;
  std::size_t lost = 0;
  int signal = 0;
  std::string moment;  // the end of the line after which it happens
};

/// 50 of them, ten at a time, since a stopped rank is found after 7 seconds of silence.
TEST_F(RanksJobs, FiftyRandomLossesEndAllAndLeaveTheRunWhole) {
  write_films();
  std::mt19937 random(17);
  const auto below = [&](std::size_t end) { return static_cast<std::size_t>(random() % end); };
  std::vector<double> expected[4];  // the losses of whole runs, by the number of ranks
  for (const int ranks : {2, 3}) {
    const std::string name = "whole" + std::to_string(ranks);
    expect_trained(ranks, wide(name, "30"), name);
    expected[ranks] = losses(name);
  }
  for (int round = 0; round < 5; ++round) {
    std::vector<Victim> victims;
    std::vector<std::deque<Child>> jobs;
    for (int i = 0; i < 10; ++i) {
      Victim victim;
      victim.run = "run" + std::to_string(10 * round + i);
      victim.ranks = i % 2 == 0 ? 2 : 3;
      victim.lost = below(static_cast<std::size_t>(victim.ranks));
      victim.signal = below(2) == 0 ? SIGKILL : SIGSTOP;
      const std::size_t epoch = below(20);  // 0: before the first one
      victim.moment =
          epoch == 0 ? " on 1 host" : "epoch       " + std::to_string(epoch) + "/1000000";
      if (epoch > 9) victim.moment.erase(6, 1);
      victims.push_back(victim);
      jobs.push_back(start(victim.ranks, wide(victim.run, "1000000")));
    }
    for (std::size_t i = 0; i < jobs.size(); ++i) {
      ASSERT_TRUE(jobs[i][0].wait_for_error_text(victims[i].moment)) << victims[i].moment;
      jobs[i][victims[i].lost].kill(victims[i].signal);
    }
    for (std::size_t i = 0; i < jobs.size(); ++i) {
      const Victim& victim = victims[i];
      SCOPED_TRACE(victim.run + ", " + std::to_string(victim.ranks) + " ranks, " +
                   std::to_string(victim.lost) + " lost by " + strsignal(victim.signal));
      const std::string lost = "tern: rank " + std::to_string(victim.lost) + " on host ";
      for (std::size_t rank = 0; rank < jobs[i].size(); ++rank) {
        if (rank == victim.lost) continue;
        const Outcome end = jobs[i][rank].finish();
        EXPECT_EQ(end.exit_code, 1) << end.err;
        if (rank == 0 || victim.lost == 0) {
          EXPECT_THAT(end.err, HasSubstr(lost));
        } else {
          EXPECT_THAT(end.err, IsEmpty());
        }
      }
      jobs[i].clear();                    // kills the stopped one, which still holds the run
      if (!exists(victim.run)) continue;  // it was lost before there was a run
      const std::size_t done =
          exists(victim.run + "/metrics.jsonl") ? losses(victim.run).size() : 0;
      const std::string epochs = std::to_string(std::min<std::size_t>(30, done + 2));
      if (done >= 30) continue;  // a busy machine has let it come further than the whole runs
      expect_trained(victim.ranks, {"train", "--resume", victim.run, "--epochs", epochs},
                     victim.run);
      const std::vector<double> found = losses(victim.run);
      ASSERT_EQ(std::to_string(found.size()), epochs);
      for (std::size_t epoch = 0; epoch < found.size(); ++epoch) {
        EXPECT_EQ(found[epoch], expected[victim.ranks][epoch]) << "epoch " << epoch + 1;
      }
    }
  }
}

TEST_F(RanksJobs, VerifyDeterminism) {
  write_films();
  std::vector<std::string> arguments = wide("run", "2", {"--verify-determinism"});
  const auto out = std::find(arguments.begin(), arguments.end(), "--out");
  arguments.erase(out, out + 2);
  std::deque<Child> children = start(2, arguments);
  const std::vector<Outcome> ends = finish(children);
  EXPECT_EQ(ends[0].exit_code, 0) << ends[0].err;
  EXPECT_THAT(ends[0].out,
              AllOf(StartsWith("20 steps of lightgcn by 2 ranks on 1 host: "),
                    HasSubstr("baseline"), HasSubstr("equal"), Not(HasSubstr("DIFFERENT"))));
  EXPECT_EQ(ends[1].exit_code, 0);
  EXPECT_THAT(ends[1].out + ends[1].err, IsEmpty());
}

TEST_F(RanksJobs, SearchSettingsTogether) {
  write_films();
  const std::vector<std::string> more{"--recipe", "auto", "--set", "loss.kind=bpr"};
  const std::string messages = expect_trained(2, wide("run", "2", more), "run");
  EXPECT_THAT(messages, AllOf(HasSubstr("Recipe auto: short trainings of "), HasSubstr("trial"),
                              HasSubstr("Chosen: model.layers=")));
  const Outcome alone = run(wide("alone", "2", more));
  const auto chosen = [](const std::string& text) { return text.substr(text.find("Chosen"), 25); };
  EXPECT_EQ(chosen(messages), chosen(alone.err));
}

TEST_F(RanksJobs, AreShownByInfo) {
  std::deque<Child> children = start(3, {"info", "--json"});
  const std::vector<Outcome> ends = finish(children);
  for (const Outcome& end : ends) EXPECT_EQ(end.exit_code, 0) << end.err;
  const json ranks = json::parse(ends[0].out)["ranks"];
  ASSERT_EQ(ranks.size(), 3U);
  for (int rank = 0; rank < 3; ++rank) {
    EXPECT_EQ(ranks[static_cast<std::size_t>(rank)]["rank"], rank);
    EXPECT_GE(ranks[static_cast<std::size_t>(rank)]["threads"].get<int>(), 1);
  }
  EXPECT_THAT(ends[1].out + ends[2].out, IsEmpty());
  EXPECT_THAT(json::parse(run({"info", "--json"}).out)["ranks"], IsEmpty());
  std::deque<Child> text = start(2, {"info"});
  EXPECT_THAT(finish(text)[0].out,
              AllOf(HasSubstr("\nrank 0    host "), HasSubstr("\nrank 1    host ")));
}

TEST_F(RanksJobs, NeedLessMemoryEach) {
  write_films();
  const auto parameters = [&](const std::string& ranks) {
    const Outcome outcome = run({"inspect", "films", "--memory", "--json", "--ranks", ranks,
                                 "--set", "model.width=128", "--device", "cpu"});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    const json found = json::parse(outcome.out);
    for (const json& part : found["memory"]["parts"]) {
      if (part["name"] == "parameters") return part["host"].get<std::int64_t>();
    }
    return std::int64_t{0};
  };
  EXPECT_EQ(parameters("4") * 4, parameters("1"));
  EXPECT_THAT(run({"inspect", "films", "--memory", "--ranks", "3", "--set", "model.width=16"}),
              FailsAtOnceWith(2, "model.width is 16, which at most 2 ranks can share"));
}

}  // namespace
}  // namespace tern::test
