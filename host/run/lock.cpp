#include "host/run/lock.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>
#include <system_error>

#include "tern/error.hpp"

namespace tern {
namespace {

/// The description that the owner wrote into the file.
std::string owner_in(int file) {
  std::array<char, 512> text{};
  const ssize_t size = ::pread(file, text.data(), text.size() - 1, 0);
  std::string owner(text.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
  owner = owner.substr(0, owner.find('\n'));
  return owner.empty() ? "another process" : owner;
}

}  // namespace

RunLock::RunLock(const std::filesystem::path& directory) {
  const std::filesystem::path path = directory / kLockFile;
  file_ = UniqueFd(::open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666));
  if (!file_.valid()) {
    throw Error(fmt::format("{}: the directory cannot be written to: {}", directory.string(),
                            std::generic_category().message(errno)));
  }
  if (::flock(file_.get(), LOCK_EX | LOCK_NB) != 0) {
    const int reason = errno;
    if (reason == EWOULDBLOCK) {
      throw Error(
          fmt::format("{}: the run is in use by {}: wait for it, stop it, or choose another --out",
                      directory.string(), owner_in(file_.get())));
    }
    // Some network file systems have no locks; training must work there too.
    if (reason == ENOSYS || reason == ENOLCK || reason == EOPNOTSUPP || reason == EINVAL) return;
    throw Error(fmt::format("{}: the file cannot be locked: {}", path.string(),
                            std::generic_category().message(reason)));
  }
  held_ = true;
  // The owner serves only for a message: a full disk is no reason to fail.
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) != 0) host[0] = '?';
  const std::string owner = fmt::format("process {} on {}\n", ::getpid(), host.data());
  if (::ftruncate(file_.get(), 0) != 0 ||
      ::pwrite(file_.get(), owner.data(), owner.size(), 0) < 0) {
    errno = 0;
  }
}

}  // namespace tern
