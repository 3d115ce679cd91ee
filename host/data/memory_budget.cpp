#include "host/data/memory_budget.hpp"

#include <fmt/format.h>

#include "tern/error.hpp"
#include "tern/memory.hpp"

namespace tern {
namespace {

/// Smaller texts are not checked: they cannot exhaust a machine, and asking the kernel takes as long
/// as reading a few kilobytes.
constexpr std::size_t kSmallText = std::size_t{1} << 20;
constexpr std::uint64_t kSmallBlock = std::uint64_t{1} << 26;

}  // namespace

std::int64_t MemoryBudget::for_text_of(std::size_t text_bytes) {
  if (text_bytes < kSmallText) return kUnlimited;
  constexpr std::int64_t kEighths = 7;  // the rest is for other programs
  return host_memory().free / 8 * kEighths;
}

void MemoryBudget::take(std::int64_t bytes) {
  if (taken_.fetch_add(bytes, std::memory_order_relaxed) + bytes <= bytes_) return;
  throw DataError(file_, 0,
                  fmt::format("reading takes more memory than the {} bytes that are free: too many "
                              "interactions or distinct ids for this machine",
                              bytes_));
}

void require_memory(std::uint64_t bytes, const std::string& file) {
  if (bytes < kSmallBlock) return;
  const auto free = static_cast<std::uint64_t>(host_memory().free);
  if (bytes <= free) return;
  throw DataError(file, 0,
                  fmt::format("not enough memory: {} bytes needed, {} bytes free", bytes, free));
}

}  // namespace tern
