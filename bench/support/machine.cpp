#include "bench/support/machine.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/utsname.h>

#include <cstdlib>
#include <ctime>
#include <fstream>
#include <thread>

#include "tern/version.hpp"

namespace tern::bench {
namespace {

/// The value of "key : value" in the first such line of a file; the first line if the key is empty.
std::string read_value(const std::string& file, const std::string& key) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    if (key.empty()) return line;
    if (!line.starts_with(key)) continue;
    const auto value = line.find_first_not_of(": \t", key.size());
    return value == std::string::npos ? "" : line.substr(value);
  }
  return "";
}

/// A setting of the first core's clock.
std::string clock_setting(const char* name) {
  return read_value(std::string("/sys/devices/system/cpu/cpu0/cpufreq/") + name, "");
}

/// The highest clock in MHz; the kernel states kHz.
std::string max_mhz() {
  const std::string khz = clock_setting("cpuinfo_max_freq");
  return khz.empty() ? "" : fmt::format("{:.3f}", std::atof(khz.c_str()) * 1e-3);
}

std::string system_name() {
  utsname names{};
  if (uname(&names) != 0) return "";
  return fmt::format("{} {} {}", names.sysname, names.release, names.machine);
}

}  // namespace

std::string machine_load() {
  const std::string load = read_value("/proc/loadavg", "");
  return fmt::format("{} of {}", load.substr(0, load.find(' ')),
                     std::thread::hardware_concurrency());
}

Context machine_context() {
  return {{"date", fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)))},
          {"executable", "tern-bench"},
          {"num_cpus", std::to_string(std::thread::hardware_concurrency())},
          {"tern_version", std::string(version())},
          {"tern_commit", std::string(commit())},
          {"tern_build", std::string(build_type())},
          {"tern_compiler", std::string(compiler())},
          {"tern_flags", TERN_BENCH_FLAGS},
          {"tern_system", system_name()},
          {"tern_processor", read_value("/proc/cpuinfo", "model name")},
          {"tern_mhz", read_value("/proc/cpuinfo", "cpu MHz")},
          {"tern_mhz_max", max_mhz()},
          {"tern_governor", clock_setting("scaling_governor")}};
}

}  // namespace tern::bench
