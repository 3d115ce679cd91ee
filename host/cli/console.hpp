#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "host/support/unique_fd.hpp"

namespace tern::cli {

/// Text from outside made safe for a terminal: on one line, without control characters.
std::string printable(std::string_view text);

/// Standard error, where a person watches: lines, and on a terminal one live line below them that
/// is written over again and again. Failures to write are ignored: a job must not end because
/// nobody watches any more.
///
/// Every line goes to a log file too, once there is one, with time (UTC) and level:
///   2026-11-23T01:41:38.204Z info    epoch 3/100  loss 0.41 ...
class Console {
 public:
  enum class Mode : std::uint8_t { kTalk, kQuiet };
  enum class Level : std::uint8_t { kInfo, kWarning, kError };
  explicit Console(Mode mode);
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;
  /// Removes the live line.
  ~Console();

  void line(std::string_view text);
  /// "warning: text".
  void warn(std::string_view text);
  /// To the log file alone.
  void log(Level level, std::string_view text);
  /// Adds to this file from now on, and to begin with all that has been said so far. Where it
  /// cannot be opened there is no log.
  void open_log(const std::filesystem::path& file);
  /// Shown on a terminal alone, cut to its width.
  void live(std::string_view text);
  bool is_terminal() const noexcept { return terminal_; }

 private:
  void show(std::string_view text);
  void clear_live();

  UniqueFd log_;
  std::string unlogged_;  // lines from before there was a log file
  bool quiet_;
  bool terminal_;
  bool has_live_ = false;
};

}  // namespace tern::cli
