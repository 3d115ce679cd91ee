#include "host/cli/signals.hpp"

#include <csignal>
#include <initializer_list>

namespace tern::cli {
namespace {

// The one thing that a signal handler can reach.
volatile std::sig_atomic_t stop_received = 0;

extern "C" void note_stop(int) {
  stop_received = 1;
  // Back to what the system does with either: the next one kills, however busy we are.
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
}

void handle_stops(void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;  // reading data is not disturbed
  sigemptyset(&action.sa_mask);
  for (const int signal : {SIGINT, SIGTERM}) {
    struct sigaction former {};
    ::sigaction(signal, nullptr, &former);
    // A shell starts its background jobs with SIGINT ignored: that stays.
    if (former.sa_handler != SIG_IGN) ::sigaction(signal, &action, nullptr);
  }
}

}  // namespace

void ignore_broken_pipes() {
  std::signal(SIGPIPE, SIG_IGN);
}

StopSignals::StopSignals() {
  stop_received = 0;
  handle_stops(note_stop);
}

StopSignals::~StopSignals() {
  handle_stops(SIG_DFL);
}

bool StopSignals::received() const noexcept {
  return stop_received != 0;
}

}  // namespace tern::cli
