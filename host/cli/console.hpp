#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "host/run/run_log.hpp"

namespace tern::cli {

/// Messages for people on standard error: lines, and on a terminal one live line below them that
/// is overwritten in place. Failures to write are ignored: a job must not end because its terminal
/// was closed.
///
/// Every line is also written to the log file, if there is one, with time (UTC) and level:
///   2026-11-23T01:41:38.204Z info    epoch 3/100  loss 0.41 ...
class Console {
 public:
  enum class Mode : std::uint8_t { kTalk, kQuiet, kVerbose };
  using Level = LogLevel;
  explicit Console(Mode mode);
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;
  /// Removes the live line.
  ~Console();

  void line(std::string_view text);
  /// "warning: text".
  void warn(std::string_view text);
  /// Writes only to the log file.
  void log(Level level, std::string_view text);
  /// Shows the text, and does not log it.
  void show(std::string_view text);
  /// Appends to this file from now on, starting with all messages so far. If it cannot be opened,
  /// there is no log.
  void open_log(const std::filesystem::path& file);
  /// Shown only on a terminal, cut to columns().
  void live(std::string_view text);
  bool is_terminal() const noexcept { return terminal_; }
  bool is_verbose() const noexcept { return mode_ == Mode::kVerbose; }
  /// The columns that a line may take: those of the terminal now, which may have been resized; no
  /// limit without one.
  std::size_t columns() const;

 private:
  void clear_live();

  RunLog log_;
  Mode mode_;
  bool terminal_;
  bool has_live_ = false;
};

}  // namespace tern::cli
