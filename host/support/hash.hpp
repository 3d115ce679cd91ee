#pragma once

#include <algorithm>
#include <bit>
#include <concepts>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "host/support/parallel.hpp"

namespace tern {

// Hashes of 64 bits that detect changes. They have no key and resist no adversary. They are the same
// on every machine and thread count. Files store them, so that the functions must never change.

/// Two rounds of xor-shift and multiplication. A bijection of state and of value, so that one changed
/// value always changes the hash. Constants: MurmurHash3's 64-bit finaliser.
inline std::uint64_t mix_hash(std::uint64_t state, std::uint64_t value) {
  state = (state ^ (state >> 32)) * 0x9E3779B97F4A7C15ull + value;
  state = (state ^ (state >> 33)) * 0xFF51AFD7ED558CCDull;
  return state ^ (state >> 33);
}

/// One hash of both. The order matters.
std::uint64_t combine_hashes(std::uint64_t first, std::uint64_t second);

std::uint64_t hash_bytes(std::span<const char> bytes);

/// FNV-1a. It stays beside hash_bytes() because existing runs store it, as the hash of their
/// configuration and in the fingerprint of data with features. Source: Fowler, Noll and Vo,
/// draft-eastlake-fnv.
std::uint64_t hash_text(std::string_view text);

/// Sixteen hexadecimal digits.
std::string hexadecimal(std::uint64_t value);

std::uint64_t hash_word(std::integral auto value) {
  return static_cast<std::uint64_t>(value);
}
inline std::uint64_t hash_word(float value) {
  return std::bit_cast<std::uint32_t>(value);
}

/// The hash of numbers, each converted by hash_word(). Blocks are hashed in parallel, then their
/// hashes in order.
template <typename Value>
std::uint64_t hash_values(std::span<const Value> values) {
  constexpr std::size_t kBlock = std::size_t{1} << 16;
  std::vector<std::uint64_t> blocks((values.size() + kBlock - 1) / kBlock);
  parallel_for(static_cast<std::int64_t>(blocks.size()), [&](std::int64_t i) {
    const std::size_t begin = static_cast<std::size_t>(i) * kBlock;
    std::uint64_t state = 0;
    for (const Value value : values.subspan(begin, std::min(kBlock, values.size() - begin))) {
      state = mix_hash(state, hash_word(value));
    }
    blocks[static_cast<std::size_t>(i)] = state;
  });
  std::uint64_t state = values.size();
  for (const std::uint64_t block : blocks) state = mix_hash(state, block);
  return state;
}

}  // namespace tern
