// tern info: this build and this machine.

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "host/cli/commands.hpp"
#include "host/cli/output.hpp"
#include "host/cli/ranks.hpp"
#include "host/support/processors.hpp"
#include "tern/device.hpp"
#include "tern/version.hpp"

namespace tern::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr double kTimeout = 60.0;  // seconds, for a rank that hangs while it looks for devices

/// The ranks that were started together, each with its own host, threads and GPUs; empty for a process alone.
Json describe_ranks(Ranks& ranks, const std::vector<DeviceDescription>& devices) {
  Json list = Json::array();
  if (!ranks.several()) return list;
  Json own{{"threads", ranks.share_threads(0)}, {"gpus", Json::array()}};
  for (std::size_t i = 1; i < devices.size(); ++i) own["gpus"].push_back(devices[i].name);
  const std::vector<std::string> all =
      ranks.gather(own.dump(-1, ' ', false, Json::error_handler_t::replace));
  for (int rank = 0; rank < ranks.size(); ++rank) {
    Json one{{"rank", rank}, {"host", ranks.host_of(rank)}};
    one.update(Json::parse(all[static_cast<std::size_t>(rank)]));
    list.push_back(std::move(one));
  }
  return list;
}

std::string ranks_text(const Json& ranks) {
  std::string out;
  for (const Json& one : ranks) {
    const int threads = one["threads"].get<int>();
    out +=
        fmt::format("{:<8}  host {}, {} thread{}", fmt::format("rank {}", one["rank"].get<int>()),
                    one["host"].get<std::string>(), threads, threads == 1 ? "" : "s");
    for (const Json& gpu : one["gpus"]) out += ", " + gpu.get<std::string>();
    out += "\n";
  }
  return out;
}

std::string as_text(const std::vector<DeviceDescription>& devices, const std::string& cuda,
                    const Json& ranks) {
  std::string out = fmt::format("tern      {}\n", build_description());
  out += fmt::format("cuda      {}\n", cuda);
  const ThreadCount& count = default_thread_count();
  out += fmt::format("threads   {} ({})\n", count.threads, count.reason);
  for (std::size_t i = 0; i < devices.size(); ++i) {
    const std::string name = i == 0 ? "cpu" : fmt::format("cuda:{}", i - 1);
    out += fmt::format("{:<8}  {}\n          {}; {}\n", name, devices[i].name, devices[i].precision,
                       devices[i].details);
  }
  return out + ranks_text(ranks);
}

std::string as_json(const std::vector<DeviceDescription>& devices, const std::string& cuda,
                    const Json& ranks) {
  Json list = Json::array();
  for (std::size_t i = 0; i < devices.size(); ++i) {
    list.push_back({{"device", i == 0 ? "cpu" : fmt::format("cuda:{}", i - 1)},
                    {"name", devices[i].name},
                    {"precision", devices[i].precision},
                    {"details", devices[i].details}});
  }
  const Json object{{"version", version()},
                    {"build_type", build_type()},
                    {"compiler", compiler()},
                    {"cuda", cuda},
                    {"threads", default_thread_count().threads},
                    {"threads_reason", default_thread_count().reason},
                    {"devices", list},
                    {"ranks", ranks}};
  return object.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

int info(bool json) {
  std::string cuda;
  const std::vector<DeviceDescription> devices = list_devices(&cuda);
  Ranks ranks(kTimeout);
  const Json described = describe_ranks(ranks, devices);
  if (ranks.leads()) {
    print(json ? as_json(devices, cuda, described) : as_text(devices, cuda, described));
  }
  ranks.wait_for_all();
  return kDone;
}

}  // namespace

Command add_info(CLI::App& program) {
  const auto json = std::make_shared<bool>(false);
  CLI::App* app =
      program.add_subcommand("info", "Show this build, this machine's devices, and ranks");
  app->add_flag("--json", *json, "one JSON object instead of text");
  return {app, [json] { return info(*json); }};
}

}  // namespace tern::cli
