#include "host/cli/signals.hpp"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>

#include "host/cli/commands.hpp"

namespace tern::cli {
namespace {

constexpr std::array<int, 4> kStops{SIGINT, SIGTERM, SIGHUP, SIGUSR1};
constexpr char kNothingToSave[] = "tern: stopped by a signal before there was anything to save\n";

// A signal handler can reach only globals.
volatile std::sig_atomic_t stop_received = 0;
volatile std::sig_atomic_t only_noted = 0;

extern "C" void stop(int) {
  if (only_noted == 0) {
    // Both calls are safe in a handler, and no file is incomplete at this time.
    if (::write(STDERR_FILENO, kNothingToSave, sizeof kNothingToSave - 1) < 0) errno = 0;
    ::_exit(kStopped);
  }
  stop_received = 1;
  // Restore the default action: the next signal ends the process at once.
  for (const int signal : kStops) {
    struct sigaction current {};
    ::sigaction(signal, nullptr, &current);
    if (current.sa_handler == stop) std::signal(signal, SIG_DFL);
  }
}

void handle_stops(void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;  // system calls that read data continue
  sigemptyset(&action.sa_mask);
  for (const int signal : kStops) {
    struct sigaction former {};
    ::sigaction(signal, nullptr, &former);
    // Shells ignore SIGINT in background jobs, and nohup ignores SIGHUP: keep it so.
    if (former.sa_handler != SIG_IGN) ::sigaction(signal, &action, nullptr);
  }
}

}  // namespace

void ignore_broken_pipes() {
  std::signal(SIGPIPE, SIG_IGN);
}

StopSignals::StopSignals() {
  stop_received = 0;
  only_noted = 0;
  handle_stops(stop);
}

StopSignals::~StopSignals() {
  handle_stops(SIG_DFL);
}

void StopSignals::note_from_now_on() noexcept {
  only_noted = 1;
}

bool StopSignals::received() const noexcept {
  return stop_received != 0;
}

}  // namespace tern::cli
