#pragma once

#include <deque>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "tests/cli/resume_workspace.hpp"
#include "tests/distributed/ranks_in_threads.hpp"

namespace tern::test {

class RanksRun : public ResumeRun {
 protected:
  /// 24 columns: three ranks have 8 each, two 8 and 16.
  std::vector<std::string> wide(const std::string& out, const std::string& epochs,
                                const std::vector<std::string>& more = {}) const {
    std::vector<std::string> all = command(out, epochs, {"--set", "model.width=24"});
    all.insert(all.end(), {"--set", "train.patience=0"});
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }

  /// The ranks of one job, as somebody would start them by hand. elsewhere: the directory of the last rank,
  /// if it is another one.
  std::deque<Child> start(
      int ranks, const std::vector<std::string>& arguments,
      const std::filesystem::path& elsewhere = {},
      const std::vector<std::pair<std::string, std::string>>& environment = {}) const {
    const std::string master = "127.0.0.1:" + std::to_string(free_port());
    std::deque<Child> children;
    for (int rank = 0; rank < ranks; ++rank) {
      Streams streams;
      streams.environment = {{"TERN_RANK", std::to_string(rank)},
                             {"TERN_RANKS", std::to_string(ranks)},
                             {"TERN_MASTER", master}};
      streams.environment.insert(streams.environment.end(), environment.begin(), environment.end());
      const bool moved = !elsewhere.empty() && rank == ranks - 1;
      children.emplace_back(moved ? elsewhere : directory_, arguments, streams);
    }
    return children;
  }

  /// How the ranks ended. Rank 0 alone says something if all is well.
  static std::vector<Outcome> finish(std::deque<Child>& children) {
    std::vector<Outcome> all;
    for (Child& child : children) all.push_back(child.finish());
    return all;
  }

  /// Returns the messages of rank 0.
  std::string expect_trained(int ranks, const std::vector<std::string>& arguments,
                             const std::string& run) const {
    std::deque<Child> children = start(ranks, arguments);
    const std::vector<Outcome> ends = finish(children);
    for (std::size_t rank = 0; rank < ends.size(); ++rank) {
      EXPECT_EQ(ends[rank].exit_code, 0) << "rank " << rank << ": " << ends[rank].err;
      EXPECT_EQ(ends[rank].out, rank == 0 ? run + "\n" : "");
      EXPECT_TRUE(rank == 0 || ends[rank].err.empty()) << ends[rank].err;
    }
    EXPECT_THAT(ends[0].err, testing::HasSubstr(std::to_string(ranks) + " ranks on 1 host"));
    return ends[0].err;
  }

  std::vector<double> losses(const std::string& run) const {
    std::vector<double> all;
    for (const std::string& line : lines(read(run + "/metrics.jsonl"))) {
      all.push_back(nlohmann::json::parse(line)["loss"].get<double>());
    }
    return all;
  }
};

}  // namespace tern::test
