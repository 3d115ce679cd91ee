#pragma once

#include <cstdint>

#include "tern/config.hpp"
#include "tern/interactions.hpp"
#include "tern/memory.hpp"

namespace tern::memory {

// Parts of the memory formula that its files share (memory.cpp, memory_losses.cpp).

using Kind = MemoryTarget::Kind;
using Bytes = std::int64_t;
inline constexpr Bytes kMiB = Bytes{1} << 20;

constexpr Bytes round_up(Bytes bytes, Bytes unit) {
  return (bytes + unit - 1) / unit * unit;
}

/// A block of a CPU (host/cpu/storage.cpp): large ones are on huge pages.
constexpr Bytes block_bytes(Bytes bytes) {
  return bytes >= 4 * kMiB ? round_up(bytes, 2 * kMiB) : bytes;
}

/// A matrix as the backend stores it: rows padded to whole vectors, and on a CPU large matrices on
/// huge pages.
Bytes matrix_bytes(Kind kind, std::int64_t rows, std::int64_t cols);

std::int64_t triplets_of_epoch(const Interactions& train, const Config& config);
std::int64_t triplets_of_batch(const Interactions& train, const Config& config);

/// The workspace of the ranking loss and of the contrast, of one rank.
Bytes loss_bytes(const MemoryTarget& target, const Interactions& train, const Config& config,
                 int threads);

}  // namespace tern::memory
