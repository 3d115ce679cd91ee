// A library to preload into the program, which disturbs the writing of files.
// TERN_SLOW_FILES=microseconds: write, fsync and rename take this much longer, so that a kill at a
// random instant often falls within one of them.
// TERN_FULL_AFTER=bytes: the disk is full after this many bytes have been written.
// TERN_FREE=bytes: the free space that the file system reports.

#include <dlfcn.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>

namespace {

long long number(const char* name, long long otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::atoll(text);
}

void wait_a_little() {
  ::usleep(static_cast<useconds_t>(number("TERN_SLOW_FILES", 0)));
}

template <typename Function>
Function* next(const char* name, Function*) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

// On a full disk, writes as much as fits, as the system's write() does.
ssize_t write_within_limit(int file, const void* data, size_t size) {
  static long long room = number("TERN_FULL_AFTER", 1LL << 60);
  if (room <= 0 && size > 0) {
    errno = ENOSPC;
    return -1;
  }
  const size_t part = static_cast<long long>(size) < room ? size : static_cast<size_t>(room);
  const ssize_t written = next("write", &write)(file, data, part);
  if (written > 0) room -= written;
  return written;
}

}  // namespace

extern "C" ssize_t write(int file, const void* data, size_t size) {
  if (file <= STDERR_FILENO || size < 2) return next("write", &write)(file, data, size);
  // In two parts, so that a kill between them leaves half a file.
  const size_t half = size / 2;
  const ssize_t first = write_within_limit(file, data, half);
  if (first < static_cast<ssize_t>(half)) return first;
  wait_a_little();
  const ssize_t rest = write_within_limit(file, static_cast<const char*>(data) + half, size - half);
  return rest < 0 ? first : first + rest;
}

extern "C" int fsync(int file) {
  wait_a_little();
  return next("fsync", &fsync)(file);
}

extern "C" int rename(const char* from, const char* to) noexcept {
  wait_a_little();
  const int result = next("rename", &rename)(from, to);
  wait_a_little();
  return result;
}

extern "C" int statvfs(const char* path, struct statvfs* told) noexcept {
  const int result = next("statvfs", &statvfs)(path, told);
  const long long free = number("TERN_FREE", -1);
  if (free >= 0) told->f_bavail = static_cast<fsblkcnt_t>(free) / told->f_frsize;
  return result;
}
