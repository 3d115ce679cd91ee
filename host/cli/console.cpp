#include "host/cli/console.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <string>

#include "host/cli/columns.hpp"

namespace tern::cli {
namespace {

// One system call a text, so that lines of several programs on one terminal do not mix.
void write_error(std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(STDERR_FILENO, text.data(), text.size());
    if (written <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

// A "dumb" terminal, as in editors, cannot move its cursor: it gets plain lines.
bool is_live_terminal() {
  const char* kind = std::getenv("TERM");
  return ::isatty(STDERR_FILENO) == 1 && kind != nullptr && std::strcmp(kind, "dumb") != 0;
}

}  // namespace

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
  log_.write(level, text);
}

void Console::open_log(const std::filesystem::path& file) {
  log_.open(file);
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
