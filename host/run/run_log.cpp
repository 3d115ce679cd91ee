#include "host/run/run_log.hpp"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <utility>

namespace tern {
namespace {

void write_all(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(descriptor, text.data(), text.size());
    if (written <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
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

std::string log_line(LogLevel level, std::string_view text) {
  const auto now = std::chrono::system_clock::now();
  const auto whole = std::chrono::floor<std::chrono::seconds>(now);
  const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(now - whole);
  const char* name = level == LogLevel::kInfo      ? "info"
                     : level == LogLevel::kWarning ? "warning"
                                                   : "error";
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z {:<7} {}\n",
                     fmt::gmtime(std::chrono::system_clock::to_time_t(whole)), milliseconds.count(),
                     name, printable(text));
}

void RunLog::write(LogLevel level, std::string_view text) {
  if (file_.valid()) {
    write_all(file_.get(), log_line(level, text));
  } else {
    unwritten_ += log_line(level, text);
  }
}

void RunLog::open(const std::filesystem::path& file) {
  file_ = UniqueFd(::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666));
  if (file_.valid()) write_all(file_.get(), std::exchange(unwritten_, {}));
}

}  // namespace tern
