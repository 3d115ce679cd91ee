#pragma once

#include <atomic>
#include <cstdint>
#include <limits>
#include <string>

namespace tern {

/// Memory that reading one file may take besides its text. The threads that read it count the bytes
/// that they keep, generously and before all of them are allocated: so an endless file, or one of
/// nothing but new ids, ends in an error before the machine is out of memory.
class MemoryBudget {
 public:
  static constexpr std::int64_t kUnlimited = std::numeric_limits<std::int64_t>::max();

  /// file: named in the error; must outlive the budget.
  MemoryBudget(const std::string& file, std::int64_t bytes) : file_(file), bytes_(bytes) {}
  /// The memory that is free now, less a part for others. Not checked for a small text.
  static std::int64_t for_text_of(std::size_t text_bytes);

  /// Throws DataError if more is taken than there is.
  void take(std::int64_t bytes);

 private:
  const std::string& file_;
  std::int64_t bytes_;
  std::atomic<std::int64_t> taken_ = 0;
};

/// One thread's account with a budget, which it asks once in a while.
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

/// A name of a vocabulary: its bytes (a block that grows, and the copy that it grows into), its
/// place in the table of hashes, and both once more when vocabularies of chunks are joined.
constexpr std::int64_t memory_of_name(std::size_t name_bytes) {
  return 96 + 3 * static_cast<std::int64_t>(name_bytes);
}
/// An interaction: in a chunk, in the whole, and while it is sorted and split.
inline constexpr std::int64_t kMemoryOfPair = 40;

/// Throws DataError if these bytes are more than is free. Not checked for few bytes.
void require_memory(std::uint64_t bytes, const std::string& file);

}  // namespace tern
