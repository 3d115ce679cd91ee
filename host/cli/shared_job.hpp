#pragma once

#include "host/cli/ranks.hpp"
#include "host/cli/training_plan.hpp"
#include "tern/config.hpp"
#include "tern/dataset.hpp"

namespace tern::cli {

// What the leader of several ranks tells those that follow, which read no command line: first the job, then
// its settings for the data, or that there is nothing to do. Nothing happens in a process alone.

/// A job as the leader has planned it.
struct FollowedJob {
  Config config;
  std::string run;  // the run whose own copy of the data is read; empty: config.data_path
};

void announce_job(Ranks& ranks, const Plan& plan);
FollowedJob receive_job(Ranks& ranks);
/// Throws as load_dataset() and Run::load_data() do.
Dataset load_data(const FollowedJob& job);

void announce_settings(Ranks& ranks, const Config& config);
/// Nothing is to be trained; the ranks end with this exit code.
void announce_end(Ranks& ranks, int code);
/// Sets the configuration; false after announce_end().
bool receive_settings(Ranks& ranks, Config& config);
int receive_exit_code(Ranks& ranks);

}  // namespace tern::cli
