#include "host/cli/shared_job.hpp"

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "host/config/keys.hpp"
#include "host/config/toml_reader.hpp"
#include "tern/model.hpp"
#include "tern/run.hpp"

namespace tern::cli {
namespace {

using nlohmann::json;

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

constexpr char kVerification[] = "verify";

void announce(Ranks& ranks, const char* kind, Config config, const std::string& own_copy) {
  if (!ranks.several()) return;
  if (!config.data_path.empty()) config.data_path = absolute_text(config.data_path);
  ranks.share(kind);
  ranks.share(write_config(config));
  ranks.share(own_copy);
}

}  // namespace

void announce_job(Ranks& ranks, const Plan& plan) {
  announce(ranks, "train", plan.config, plan.reads_own_copy ? absolute_text(plan.run->path()) : "");
  ranks.share_run(plan.run ? plan.run->path().string() : "");
}

void announce_verification(Ranks& ranks, const Config& config) {
  announce(ranks, kVerification, config, "");
  ranks.share_run("");
}

FollowedJob receive_job(Ranks& ranks) {
  FollowedJob job;
  job.verifies = ranks.share("") == kVerification;
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

void announce(Ranks& ranks, const Order& order) {
  if (!ranks.several()) return;
  json text{{"kind", static_cast<int>(order.kind)},
            {"config", write_config(order.config)},
            {"grids", json::array()},
            {"code", order.code}};
  for (const SearchGrid& grid : order.grids) text["grids"].push_back({grid.key, grid.values});
  ranks.share(text.dump());
}

Order receive_order(Ranks& ranks) {
  const json text = json::parse(ranks.share(""));
  Order order;
  order.kind = static_cast<Order::Kind>(text["kind"].get<int>());
  order.config = config_of(text["config"].get<std::string>());
  for (const json& grid : text["grids"]) {
    order.grids.push_back({grid[0].get<std::string>(), grid[1].get<std::vector<std::string>>()});
  }
  order.code = text["code"].get<int>();
  return order;
}

}  // namespace tern::cli
