#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "host/support/unique_fd.hpp"

namespace tern {

/// The text on one line without control characters, so that a terminal can show it safely.
std::string printable(std::string_view text);

enum class LogLevel : std::uint8_t { kInfo, kWarning, kError };

/// A line of a run's log file, with the time (UTC) and the level, made printable:
///   2026-11-23T01:41:38.204Z info    epoch 3/100  loss 0.41 ...
std::string log_line(LogLevel level, std::string_view text);

/// The log file of a run. Failures to write are ignored: a job must not end for a line of its log.
class RunLog {
 public:
  /// Before open(), the line is kept.
  void write(LogLevel level, std::string_view text);
  /// Appends to this file from now on, starting with the lines so far. If it cannot be opened, there is no log.
  void open(const std::filesystem::path& file);

 private:
  UniqueFd file_;
  std::string unwritten_;
};

}  // namespace tern
