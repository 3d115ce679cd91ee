#include "host/cli/console.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

namespace tern::cli {
namespace {

// In one system call, so that lines of several programs on one terminal do not mix.
void write_error(std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(STDERR_FILENO, text.data(), text.size());
    if (written <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

std::size_t terminal_width() {
  winsize size{};
  const bool known = ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return known ? size.ws_col : 80;
}

// A terminal that can move its cursor; a "dumb" one, as in editors, gets plain lines.
bool is_live_terminal() {
  const char* kind = std::getenv("TERM");
  return ::isatty(STDERR_FILENO) == 1 && kind != nullptr && std::strcmp(kind, "dumb") != 0;
}

}  // namespace

std::string printable(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\n' || c == '\t' || c == '\r') {
      out += ' ';
    } else if (byte < 0x20 || byte == 0x7f) {
      out += '?';
    } else {
      out += c;
    }
  }
  return out;
}

Console::Console(Mode mode)
    : quiet_(mode == Mode::kQuiet), terminal_(!quiet_ && is_live_terminal()) {}

Console::~Console() {
  clear_live();
}

void Console::line(std::string_view text) {
  if (quiet_) return;
  clear_live();
  write_error(printable(text) + "\n");
}

void Console::live(std::string_view text) {
  if (!terminal_) return;
  // The line is our own ASCII; one column stays free, where some terminals would wrap.
  write_error("\r\x1b[K" + printable(text.substr(0, terminal_width() - 1)));
  has_live_ = true;
}

void Console::clear_live() {
  if (has_live_) write_error("\r\x1b[K");
  has_live_ = false;
}

}  // namespace tern::cli
