#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace tern::report {

/// A line of metrics.jsonl.
struct EpochLine {
  int epoch = 0;
  bool best = false;                     // the best so far
  std::map<std::string, double> values;  // its finite numbers by their keys (Run::append())
  std::vector<std::string> collapse;     // findings of the monitors
};

struct Epochs {
  std::vector<EpochLine> lines;
  std::int64_t damaged = 0;  // lines that are no object with an epoch
};

/// Reads metrics.jsonl; no lines if there is no such file. Damaged lines are left out and counted.
Epochs read_epochs(const std::filesystem::path& file);

/// Lines of log.txt for people, without the time: the first ones, up to the first epoch, and the warnings.
struct LogLines {
  std::vector<std::string> beginning;
  std::vector<std::string> warnings;
};
/// No lines if there is no such file. At most 40 of each kind.
LogLines read_log(const std::filesystem::path& file);

}  // namespace tern::report
