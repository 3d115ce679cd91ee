#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tern::cli {

/// Text from outside made safe for a terminal: on one line, without control characters.
std::string printable(std::string_view text);

/// Standard error, where a person watches: lines, and on a terminal one live line below them that
/// is written over again and again. Failures to write are ignored: a job must not end because
/// nobody watches any more.
class Console {
 public:
  enum class Mode : std::uint8_t { kTalk, kQuiet };
  explicit Console(Mode mode);
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;
  /// Removes the live line.
  ~Console();

  void line(std::string_view text);
  /// Shown on a terminal alone, cut to its width.
  void live(std::string_view text);
  bool is_terminal() const noexcept { return terminal_; }

 private:
  void clear_live();

  bool quiet_;
  bool terminal_;
  bool has_live_ = false;
};

}  // namespace tern::cli
