#include "host/cli/output.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "tern/error.hpp"

namespace tern::cli {
namespace {

constexpr std::size_t kBufferSize = std::size_t{1} << 16;

}  // namespace

void make_directory(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (std::filesystem::is_directory(path)) return;
  throw Error("cannot make the directory " + path.string() + ": " +
              (error ? error.message() : "something else has that name"));
}

void print(std::string_view text) {
  Output out;
  out.write(text);
  out.finish();
}

Output::Output() : descriptor_(STDOUT_FILENO) {}

Output::Output(const std::filesystem::path& path) : descriptor_(STDOUT_FILENO) {
  if (path == "-") return;
  path_ = path;
  std::error_code ignored;
  const auto status = std::filesystem::status(path, ignored);
  // A pipe or a device must not be replaced by renaming.
  const bool replaceable = !std::filesystem::exists(status) || is_regular_file(status);
  if (replaceable) {
    partial_ = path;
    partial_ += ".partial-" + std::to_string(::getpid());
  }
  const std::filesystem::path& target = replaceable ? partial_ : path_;
  descriptor_ = ::open(target.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (descriptor_ < 0) {
    const int error = errno;
    partial_.clear();
    fail(error);
  }
}

Output::~Output() {
  if (!path_.empty() && descriptor_ >= 0) {
    ::close(descriptor_);
    if (!partial_.empty()) ::unlink(partial_.c_str());
  }
}

void Output::write(std::string_view text) {
  buffer_ += text;
  if (buffer_.size() >= kBufferSize) flush();
}

void Output::finish() {
  flush();
  if (path_.empty()) return;
  if (!partial_.empty() && ::fsync(descriptor_) != 0) fail(errno);
  // close() reports late errors of a network file system.
  const int closed = ::close(descriptor_);
  const int error = errno;
  descriptor_ = -1;
  if (closed != 0) {
    if (!partial_.empty()) ::unlink(partial_.c_str());
    fail(error);
  }
  if (!partial_.empty() && ::rename(partial_.c_str(), path_.c_str()) != 0) {
    const int reason = errno;
    ::unlink(partial_.c_str());
    fail(reason);
  }
}

void Output::flush() {
  std::string_view left = buffer_;
  while (!left.empty()) {
    const ssize_t written = ::write(descriptor_, left.data(), left.size());
    if (written >= 0) {
      left.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      // Another process has made standard output non-blocking: wait until it accepts more.
      pollfd ready{descriptor_, POLLOUT, 0};
      ::poll(&ready, 1, -1);
    } else if (errno != EINTR) {
      const int error = errno;
      buffer_.clear();
      fail(error);
    }
  }
  buffer_.clear();
}

void Output::fail(int error) const {
  if (error == EPIPE && path_.empty()) throw ReaderGone{};
  const std::string name = path_.empty() ? "standard output" : path_.string();
  throw Error("cannot write to " + name + ": " + std::generic_category().message(error));
}

}  // namespace tern::cli
