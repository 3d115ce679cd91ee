#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "host/cli/ranks.hpp"
#include "host/cli/training_plan.hpp"
#include "host/train/search.hpp"
#include "tern/config.hpp"
#include "tern/dataset.hpp"

namespace tern::cli {

// What the leader of several ranks tells those that follow, which read no command line: first the job, then
// one order after the other, up to the last one. Nothing happens in a process alone.

/// A job as the leader has planned it.
struct FollowedJob {
  Config config;
  std::string run;        // the run whose own copy of the data is read; empty: config.data_path
  bool verifies = false;  // it is --verify-determinism, and trains no run
};

void announce_job(Ranks& ranks, const Plan& plan);
void announce_verification(Ranks& ranks, const Config& config);
FollowedJob receive_job(Ranks& ranks);
/// Throws as load_dataset() and Run::load_data() do.
Dataset load_data(const FollowedJob& job);

/// What the ranks do next, with settings that fit the data.
struct Order {
  enum class Kind : std::uint8_t {
    kSearch,  // short trainings with values of the grids; another order follows
    kTrain,
    kVerify,  // --verify-determinism
    kEnd,     // nothing is to be trained: all exit with `code`
  };
  Kind kind = Kind::kEnd;
  Config config;
  std::vector<SearchGrid> grids;
  int code = 0;
};

void announce(Ranks& ranks, const Order& order);
Order receive_order(Ranks& ranks);

}  // namespace tern::cli
