// Memory for Buffer: one large reserved window of addresses, none of which is reused, so that a
// stale pointer points at nothing. A page table of the valid bytes makes a check two loads.
// Under AddressSanitizer, whose own redzones do this, buffers come from the heap.
#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <map>
#include <mutex>
#include <new>
#include <string>

#include "simt/buffer.hpp"
#include "watch.hpp"

namespace simt::detail {
namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kWindowBytes = std::size_t{1}
                                     << 38;  // of addresses; memory is taken when touched

void* reserve(std::size_t bytes, int protection) {
  void* memory =
      mmap(nullptr, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  return memory;
}

struct Pool {
  std::byte* memory = static_cast<std::byte*>(reserve(kWindowBytes, PROT_NONE));
  std::uint16_t* valid = static_cast<std::uint16_t*>(  // how many bytes of each page
      reserve(kWindowBytes / kPage * sizeof(std::uint16_t), PROT_READ | PROT_WRITE));
  std::mutex mutex;
  std::size_t next = kPage;
  std::map<std::size_t, std::size_t> sizes;  // by offset, in bytes
};

Pool& pool() {
  static Pool* const instance = new Pool;  // outlives every Buffer
  return *instance;
}

}  // namespace

#ifdef __SANITIZE_ADDRESS__

void* allocate(std::size_t bytes) {
  void* memory = nullptr;
  if (posix_memalign(&memory, 256, bytes) != 0) throw std::bad_alloc();
  std::memset(memory, 0xff, bytes);
  return memory;
}

void release(void* memory) noexcept {
  std::free(memory);
}

Window buffer_window() {
  return {};
}

#else

namespace {

void set_valid(Pool& p, std::size_t offset, std::size_t bytes, bool valid) {
  for (std::size_t done = 0; done < bytes; done += kPage) {
    const std::size_t count = valid ? std::min(kPage, bytes - done) : 0;
    p.valid[(offset + done) / kPage] = static_cast<std::uint16_t>(count);
  }
}

}  // namespace

void* allocate(std::size_t bytes) {
  Pool& p = pool();
  const std::lock_guard lock(p.mutex);
  const std::size_t pages = (bytes + kPage - 1) / kPage;
  const std::size_t offset = p.next;
  if (offset + (pages + 1) * kPage > kWindowBytes) throw std::bad_alloc();
  void* memory = p.memory + offset;
  if (pages > 0 && mprotect(memory, pages * kPage, PROT_READ | PROT_WRITE) != 0) {
    throw std::bad_alloc();
  }
  p.sizes[offset] = bytes;
  p.next = offset + (pages + 1) * kPage;  // one page stays empty between buffers
  set_valid(p, offset, bytes, true);
  std::memset(memory, 0xff, bytes);
  return memory;
}

void release(void* memory) noexcept {
  Pool& p = pool();
  const std::lock_guard lock(p.mutex);
  const auto entry =
      p.sizes.find(static_cast<std::size_t>(static_cast<std::byte*>(memory) - p.memory));
  const auto [offset, bytes] = *entry;
  p.sizes.erase(entry);
  set_valid(p, offset, bytes, false);
  madvise(memory, bytes, MADV_DONTNEED);
  mprotect(memory, bytes, PROT_NONE);
}

Window buffer_window() {
  return {reinterpret_cast<std::uintptr_t>(pool().memory), kWindowBytes};
}

#endif

bool inside_buffer(std::uintptr_t address, std::size_t bytes) {
  const Pool& p = pool();
  const std::size_t offset = address - reinterpret_cast<std::uintptr_t>(p.memory);
  return offset % kPage + bytes <= p.valid[offset / kPage];
}

std::string describe_address(std::uintptr_t address) {
  Pool& p = pool();
  const std::lock_guard lock(p.mutex);
  const std::size_t offset = address - reinterpret_cast<std::uintptr_t>(p.memory);
  const auto above = p.sizes.upper_bound(offset);
  const auto below = above == p.sizes.begin() ? p.sizes.end() : std::prev(above);
  const bool near_above = above != p.sizes.end() && above->first - offset <= kPage / 2;
  if (below != p.sizes.end() && !near_above) {
    return "at byte " + std::to_string(offset - below->first) + " of a buffer of " +
           std::to_string(below->second);
  }
  if (!near_above) return "in no buffer";
  return std::to_string(above->first - offset) + " bytes before a buffer of " +
         std::to_string(above->second);
}

}  // namespace simt::detail
