#pragma once

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tern::test {

/// How a program ended, and what it wrote.
struct Outcome {
  int exit_code = -1;  // -1: killed by a signal
  int signal = 0;
  std::string out;
  std::string err;
};

/// Settings of a child process: its environment, ignored signals and streams. By default, the
/// streams are pipes that fill an Outcome.
struct Streams {
  std::vector<std::pair<std::string, std::string>> environment;
  std::vector<int> ignored_signals;
  std::string in;               // text for standard input
  std::string out_to;           // a path, e.g. /dev/full, instead of a pipe
  bool close_out = false;       // standard output has no reader from the start
  bool close_err = false;       // the same for standard error
  bool err_terminal = false;    // standard error is a terminal
  std::uint16_t columns = 100;  // of this terminal
  rlim_t address_space = 0;     // limit of the address space in bytes; 0: none
};

/// The program under test as a child process, in a directory of its own.
class Child {
 public:
  Child(const std::filesystem::path& directory, const std::vector<std::string>& arguments,
        const Streams& streams = {}) {
    const auto in = make_pipe();
    const auto out = make_pipe();
    const auto err = streams.err_terminal ? make_terminal(streams.columns) : make_pipe();
    process_ = ::fork();
    if (process_ < 0) throw std::runtime_error("fork failed");
    if (process_ == 0) become_program(directory, arguments, streams, in, out, err);
    ::close(in.first);
    ::close(out.second);
    ::close(err.second);
    out_ = out.first;
    err_ = err.first;
    if (streams.close_out) {
      ::close(out_);
      out_ = -1;
    }
    if (streams.close_err) {
      ::close(err_);
      err_ = -1;
    }
    // The input of tests fits into the pipe. It is no error if the child does not read it.
    if (!streams.in.empty() && ::write(in.second, streams.in.data(), streams.in.size()) < 0) {
      throw std::runtime_error("cannot write to the child");
    }
    ::close(in.second);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    if (process_ > 0) {
      ::kill(process_, SIGKILL);
      ::waitpid(process_, nullptr, 0);
    }
    for (const int descriptor : {out_, err_}) {
      if (descriptor >= 0) ::close(descriptor);
    }
  }

  void kill(int signal) { ::kill(process_, signal); }

  /// Waits until condition() holds; false after kPatience.
  template <typename Condition>
  static bool wait_until(const Condition& condition) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (!condition()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      ::usleep(500);
    }
    return true;
  }

  /// Waits until the child has, or does not have, a handler for this signal; false if the child ends
  /// first, or after kPatience.
  bool wait_for_handler(int signal, bool installed) const {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (std::chrono::steady_clock::now() < deadline) {
      std::ifstream status("/proc/" + std::to_string(process_) + "/status");
      bool known = false;
      for (std::string line; std::getline(status, line);) {
        if (!line.starts_with("SigCgt:")) continue;  // the caught signals, as a hexadecimal mask
        const std::uint64_t mask = std::stoull(line.substr(7), nullptr, 16);
        known = true;
        if (((mask >> (signal - 1)) & 1) == (installed ? 1u : 0u)) return true;
      }
      if (!known) return false;
      ::usleep(1000);
    }
    return false;
  }

  /// Reads until standard error has this text; false if it ends without it.
  bool wait_for_error_text(std::string_view text) {
    while (outcome_.err.find(text) == std::string::npos) {
      if (!read_some()) return false;
    }
    return true;
  }

  /// Reads to the end of both streams and waits.
  Outcome finish() {
    while (read_some()) {
    }
    int status = 0;
    ::waitpid(process_, &status, 0);
    process_ = -1;
    if (WIFEXITED(status)) outcome_.exit_code = WEXITSTATUS(status);
    if (WIFSIGNALED(status)) outcome_.signal = WTERMSIG(status);
    return std::move(outcome_);
  }

 private:
  using Ends = std::pair<int, int>;  // descriptors for reading and writing
  static constexpr std::chrono::seconds kPatience{60};

  static Ends make_pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe failed");
    return {ends[0], ends[1]};
  }

  static Ends make_terminal(std::uint16_t columns) {
    int master = -1;
    int slave = -1;
    winsize size{};
    size.ws_row = 25;
    size.ws_col = columns;
    if (::openpty(&master, &slave, nullptr, nullptr, &size) != 0) {
      throw std::runtime_error("openpty failed");
    }
    ::fcntl(master, F_SETFD, FD_CLOEXEC);
    return {master, slave};
  }

  [[noreturn]] static void become_program(const std::filesystem::path& directory,
                                          const std::vector<std::string>& arguments,
                                          const Streams& streams, Ends in, Ends out, Ends err) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // a test that is killed leaves no training behind
    const int out_descriptor =
        streams.out_to.empty() ? out.second : ::open(streams.out_to.c_str(), O_WRONLY);
    ::dup2(in.first, STDIN_FILENO);
    ::dup2(out_descriptor, STDOUT_FILENO);
    ::dup2(err.second, STDERR_FILENO);
    std::vector<char*> words{const_cast<char*>("tern")};
    for (const std::string& word : arguments) words.push_back(const_cast<char*>(word.c_str()));
    words.push_back(nullptr);
    ::setenv("TERM", "xterm", 1);
    for (const auto& [name, value] : streams.environment) {
      ::setenv(name.c_str(), value.c_str(), 1);
    }
    if (streams.address_space > 0) {
      const rlimit limit{streams.address_space, streams.address_space};
      ::setrlimit(RLIMIT_AS, &limit);
    }
    for (const int signal : streams.ignored_signals) ::signal(signal, SIG_IGN);
    if (::chdir(directory.c_str()) == 0) ::execv(TERN_TESTED_PROGRAM, words.data());
    ::_exit(127);
  }

  // False at the end of both streams. A child that is silent for too long is killed.
  bool read_some() {
    std::array<pollfd, 2> streams{pollfd{out_, POLLIN, 0}, pollfd{err_, POLLIN, 0}};
    if (out_ < 0 && err_ < 0) return false;
    const auto patience = std::chrono::milliseconds(kPatience).count();
    if (::poll(streams.data(), streams.size(), static_cast<int>(patience)) == 0) {
      ::kill(process_, SIGKILL);
      outcome_.err += "[killed: silent for too long]";
      return false;
    }
    take(streams[0], out_, outcome_.out);
    take(streams[1], err_, outcome_.err);
    return true;
  }

  static void take(const pollfd& ready, int& descriptor, std::string& text) {
    if (descriptor < 0 || ready.revents == 0) return;
    std::array<char, 65536> buffer{};
    const ssize_t size = ::read(descriptor, buffer.data(), buffer.size());
    if (size > 0) {
      text.append(buffer.data(), static_cast<std::size_t>(size));
    } else {  // the end; on a terminal, EIO
      ::close(descriptor);
      descriptor = -1;
    }
  }

  pid_t process_ = -1;
  int out_ = -1;
  int err_ = -1;
  Outcome outcome_;
};

}  // namespace tern::test
