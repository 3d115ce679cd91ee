#include "host/cli/shared_job.hpp"

#include <filesystem>
#include <string>

#include "host/config/keys.hpp"
#include "host/config/toml_reader.hpp"
#include "tern/model.hpp"
#include "tern/run.hpp"

namespace tern::cli {
namespace {

// A rank may have been started in another directory.
std::string absolute_text(const std::filesystem::path& path) {
  return std::filesystem::absolute(path).lexically_normal().string();
}

Config config_of(const std::string& text) {
  Config config;
  for (const TomlEntry& entry : parse_toml(text, "configuration of rank 0")) {
    if (entry.value.found != kTable) find_key(entry.key).set(config, entry.value);
  }
  return config;
}

}  // namespace

void announce_job(Ranks& ranks, const Plan& plan) {
  if (!ranks.several()) return;
  Config config = plan.config;
  if (!config.data_path.empty()) config.data_path = absolute_text(config.data_path);
  ranks.share(write_config(config));
  ranks.share(plan.reads_own_copy ? absolute_text(plan.run->path()) : "");
  ranks.share_run(plan.run ? plan.run->path().string() : "");
}

FollowedJob receive_job(Ranks& ranks) {
  FollowedJob job;
  job.config = config_of(ranks.share(""));
  job.run = ranks.share("");
  ranks.share_run("");
  return job;
}

Dataset load_data(const FollowedJob& job) {
  if (!job.run.empty()) return Run::open(job.run).load_data();
  const Config& config = job.config;
  return load_dataset(config.data_path, config.data, feature_files_for(config.model));
}

void announce_settings(Ranks& ranks, const Config& config) {
  if (!ranks.several()) return;
  ranks.agree(true);
  ranks.share(write_config(config));
}

void announce_end(Ranks& ranks, int code) {
  if (!ranks.several()) return;
  ranks.agree(false);
  ranks.share(std::to_string(code));
}

bool receive_settings(Ranks& ranks, Config& config) {
  if (!ranks.agree(false)) return false;
  config = config_of(ranks.share(""));
  return true;
}

int receive_exit_code(Ranks& ranks) {
  return std::stoi(ranks.share(""));
}

}  // namespace tern::cli
