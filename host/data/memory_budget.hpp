#pragma once

#include <atomic>
#include <cstdint>
#include <limits>
#include <string>

namespace tern {

/// Memory that reading one file may take besides its text. The reading threads count the bytes that
/// they keep, generously and early, so that an endless file, or a file of new ids only, ends in an
/// error before the machine is out of memory.
class MemoryBudget {
 public:
  static constexpr std::int64_t kUnlimited = std::numeric_limits<std::int64_t>::max();

  /// file: the name in the error; must outlive the budget.
  MemoryBudget(const std::string& file, std::int64_t bytes) : file_(file), bytes_(bytes) {}
  /// The memory that is free now, less a share for other programs; unlimited for a small text.
  static std::int64_t for_text_of(std::size_t text_bytes);

  /// Throws DataError if more is taken in all than the budget has.
  void take(std::int64_t bytes);

 private:
  const std::string& file_;
  std::int64_t bytes_;
  std::atomic<std::int64_t> taken_ = 0;
};

/// Collects one thread's bytes, and takes them from the budget a megabyte at a time.
class MemoryMeter {
 public:
  explicit MemoryMeter(MemoryBudget& budget) : budget_(budget) {}

  void add(std::int64_t bytes) {
    constexpr std::int64_t kAtOnce = std::int64_t{1} << 20;
    pending_ += bytes;
    if (pending_ >= kAtOnce) settle();
  }
  void settle() {
    budget_.take(pending_);
    pending_ = 0;
  }

 private:
  MemoryBudget& budget_;
  std::int64_t pending_ = 0;
};

/// Memory of a name in a vocabulary: its bytes and its slot in the hash table, and both again in the copies
/// when they grow, and in the chunk that it is new in.
constexpr std::int64_t memory_of_name(std::size_t name_bytes) {
  return 96 + 3 * static_cast<std::int64_t>(name_bytes);
}
/// Memory of an interaction: in the list, and during sorting and splitting.
inline constexpr std::int64_t kMemoryOfPair = 24;

/// Throws DataError if less memory than this is free. Does not check a few megabytes.
void require_memory(std::uint64_t bytes, const std::string& file);

}  // namespace tern
