#include "host/cli/shortage.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <string>

#include "host/cli/console.hpp"
#include "tern/error.hpp"
#include "tern/memory.hpp"

namespace tern::cli {
namespace {

// For the case that there is no memory even for a message.
void write_plain_line() noexcept {
  constexpr std::string_view kLine = "tern: out of memory\n";
  const ssize_t ignored = ::write(STDERR_FILENO, kLine.data(), kLine.size());
  (void)ignored;
}

}  // namespace

ExitCode report_shortage(std::string_view finding) noexcept {
  try {
    constexpr double kMega = 1e6;
    const MemoryInfo memory = host_memory();
    Console(Console::Mode::kTalk)
        .line(
            fmt::format("tern: {}; the host has {:.0f} of {:.0f} MB free for this process: reduce "
                        "model.width, train.batch_size or --threads (tern inspect DATA --memory "
                        "shows the need of each part)",
                        finding, static_cast<double>(memory.free) / kMega,
                        static_cast<double>(memory.total) / kMega));
  } catch (...) {
    write_plain_line();
  }
  return kFailed;
}

}  // namespace tern::cli
