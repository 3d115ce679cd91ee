// tern info: this build and this machine.

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "host/cli/commands.hpp"
#include "host/cli/output.hpp"
#include "host/support/processors.hpp"
#include "tern/device.hpp"
#include "tern/version.hpp"

namespace tern::cli {
namespace {

using Json = nlohmann::ordered_json;

std::string as_text(const std::vector<DeviceDescription>& devices, const std::string& cuda) {
  std::string out = fmt::format("tern      {}\n", build_description());
  out += fmt::format("cuda      {}\n", cuda);
  const ThreadCount& count = default_thread_count();
  out += fmt::format("threads   {} ({})\n", count.threads, count.reason);
  for (std::size_t i = 0; i < devices.size(); ++i) {
    const std::string name = i == 0 ? "cpu" : fmt::format("cuda:{}", i - 1);
    out += fmt::format("{:<8}  {}\n          {}; {}\n", name, devices[i].name, devices[i].precision,
                       devices[i].details);
  }
  return out;
}

std::string as_json(const std::vector<DeviceDescription>& devices, const std::string& cuda) {
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
                    {"devices", list}};
  return object.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

int info(bool json) {
  std::string cuda;
  const std::vector<DeviceDescription> devices = list_devices(&cuda);
  print(json ? as_json(devices, cuda) : as_text(devices, cuda));
  return kDone;
}

}  // namespace

Command add_info(CLI::App& program) {
  const auto json = std::make_shared<bool>(false);
  CLI::App* app = program.add_subcommand("info", "Show this build and this machine's devices");
  app->add_flag("--json", *json, "one JSON object instead of text");
  return {app, [json] { return info(*json); }};
}

}  // namespace tern::cli
