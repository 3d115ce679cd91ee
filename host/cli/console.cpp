#include "host/cli/console.hpp"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <string>
#include <utility>

#include "host/cli/columns.hpp"
#include "host/run/run_log.hpp"

namespace tern::cli {
namespace {

// One system call a text, so that lines of several programs on one terminal do not mix.
void write_all(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(descriptor, text.data(), text.size());
    if (written <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

void write_error(std::string_view text) {
  write_all(STDERR_FILENO, text);
}

std::string log_line(Console::Level level, std::string_view text) {
  switch (level) {
    case Console::Level::kInfo:
      return log_line(LogLevel::kInfo, text);
    case Console::Level::kWarning:
      return log_line(LogLevel::kWarning, text);
    case Console::Level::kError:
      return log_line(LogLevel::kError, text);
  }
  return "";
}

// A "dumb" terminal, as in editors, cannot move its cursor: it gets plain lines.
bool is_live_terminal() {
  const char* kind = std::getenv("TERM");
  return ::isatty(STDERR_FILENO) == 1 && kind != nullptr && std::strcmp(kind, "dumb") != 0;
}

}  // namespace

std::string printable(std::string_view text) {
  return tern::printable(text);
}

Console::Console(Mode mode) : mode_(mode), terminal_(mode != Mode::kQuiet && is_live_terminal()) {}

Console::~Console() {
  clear_live();
}

void Console::line(std::string_view text) {
  log(Level::kInfo, text);
  show(text);
}

void Console::warn(std::string_view text) {
  log(Level::kWarning, text);
  show("warning: " + std::string(text));
}

void Console::log(Level level, std::string_view text) {
  if (log_.valid()) {
    write_all(log_.get(), log_line(level, text));
  } else {
    unlogged_ += log_line(level, text);
  }
}

void Console::open_log(const std::filesystem::path& file) {
  log_ = UniqueFd(::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666));
  if (log_.valid()) write_all(log_.get(), std::exchange(unlogged_, {}));
}

void Console::show(std::string_view text) {
  if (mode_ == Mode::kQuiet) return;
  clear_live();
  write_error(printable(text) + "\n");
}

void Console::live(std::string_view text) {
  if (!terminal_) return;
  write_error("\r\x1b[K" + std::string(first_columns(printable(text), columns())));
  has_live_ = true;
}

std::size_t Console::columns() const {
  if (!terminal_) return std::numeric_limits<std::size_t>::max();
  winsize size{};
  const bool known = ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  // One column stays free, because some terminals wrap a full line.
  return known ? std::max<std::size_t>(size.ws_col, 2) - 1 : 79;
}

void Console::clear_live() {
  if (has_live_) write_error("\r\x1b[K");
  has_live_ = false;
}

}  // namespace tern::cli
