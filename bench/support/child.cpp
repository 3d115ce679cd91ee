#include "bench/support/child.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "tern/error.hpp"

namespace tern::bench {
namespace {

/// Reads to the end, and closes the descriptor.
std::string read_all(int descriptor) {
  std::string text;
  std::array<char, 65536> buffer{};
  for (;;) {
    const ssize_t size = ::read(descriptor, buffer.data(), buffer.size());
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) break;
    text.append(buffer.data(), static_cast<std::size_t>(size));
  }
  ::close(descriptor);
  return text;
}

int wait_for(pid_t process) {
  int status = 0;
  while (::waitpid(process, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

}  // namespace

std::string run_again(const std::vector<std::string>& arguments) {
  // Between fork and exec, nothing may allocate: this process may have threads.
  std::vector<char*> words{const_cast<char*>("tern-bench")};
  for (const std::string& word : arguments) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    throw Error(fmt::format("no pipe to another process: {}", std::strerror(errno)));
  }
  const pid_t process = ::fork();
  if (process == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::dup2(ends[1], STDOUT_FILENO);
    ::execv("/proc/self/exe", words.data());
    ::_exit(127);
  }
  const int error = errno;
  ::close(ends[1]);
  if (process < 0) {
    ::close(ends[0]);
    throw Error(fmt::format("no other process can be started: {}", std::strerror(error)));
  }
  std::string text = read_all(ends[0]);
  const int status = wait_for(process);
  if (WIFSIGNALED(status)) {
    throw Error(fmt::format("a process of the run was killed by signal {}", WTERMSIG(status)));
  }
  if (WEXITSTATUS(status) != 0) {
    throw Error(fmt::format("a process of the run ended with {}", WEXITSTATUS(status)));
  }
  return text;
}

}  // namespace tern::bench
