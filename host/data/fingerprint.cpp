#include "host/data/fingerprint.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <concepts>
#include <string>
#include <vector>

#include "host/support/parallel.hpp"

namespace tern {
namespace {

/// Two rounds of xor-shift and multiplication on the sum of state and value: a bijection of either,
/// so that one changed value always changes the hash. Constants: MurmurHash3's 64-bit finaliser.
std::uint64_t mix(std::uint64_t state, std::uint64_t value) {
  state = (state ^ (state >> 32)) * 0x9E3779B97F4A7C15ull + value;
  state = (state ^ (state >> 33)) * 0xFF51AFD7ED558CCDull;
  return state ^ (state >> 33);
}

std::uint64_t word_of(std::integral auto value) {
  return static_cast<std::uint64_t>(value);
}
std::uint64_t word_of(float value) {
  return std::bit_cast<std::uint32_t>(value);
}

/// Eight bytes as they lie in memory; a word that the type system knows nothing of.
struct RawWord {
  std::array<char, 8> bytes;
};
std::uint64_t word_of(RawWord value) {
  return std::bit_cast<std::uint64_t>(value);
}

/// Blocks are hashed in parallel, and their hashes in order.
template <typename Value>
std::uint64_t hash_values(std::span<const Value> values) {
  constexpr std::size_t kBlock = std::size_t{1} << 16;
  std::vector<std::uint64_t> blocks((values.size() + kBlock - 1) / kBlock);
  parallel_for(static_cast<std::int64_t>(blocks.size()), [&](std::int64_t i) {
    const std::size_t begin = static_cast<std::size_t>(i) * kBlock;
    std::uint64_t state = 0;
    for (const Value value : values.subspan(begin, std::min(kBlock, values.size() - begin))) {
      state = mix(state, word_of(value));
    }
    blocks[static_cast<std::size_t>(i)] = state;
  });
  std::uint64_t state = values.size();
  for (const std::uint64_t block : blocks) state = mix(state, block);
  return state;
}

}  // namespace

std::uint64_t fingerprint(std::span<const Interactions* const> splits) {
  std::uint64_t state = splits.size();
  for (const Interactions* split : splits) {
    state = mix(state, static_cast<std::uint64_t>(split->num_users()));
    state = mix(state, static_cast<std::uint64_t>(split->num_items()));
    state = mix(state, hash_values(split->offsets()));
    state = mix(state, hash_values(split->items()));
  }
  return state;
}

std::uint64_t feature_fingerprint(const std::optional<Features>& users,
                                  const std::optional<Features>& items) {
  if (!users.has_value() && !items.has_value()) return 0;
  std::uint64_t state = 2;
  for (const std::optional<Features>* side : {&users, &items}) {
    state = mix(state, side->has_value() ? 1 : 0);
    if (!side->has_value()) continue;
    for (const std::string& name : (*side)->names) {
      state = mix(state, hash_values(std::span<const char>(name)));
    }
    state = mix(state, hash_values(std::span<const float>((*side)->values)));
  }
  return state;
}

std::uint64_t combine_hashes(std::uint64_t first, std::uint64_t second) {
  return mix(mix(0, first), second);
}

std::uint64_t hash_bytes(std::span<const char> bytes) {
  const std::size_t words = bytes.size() / sizeof(RawWord);
  const std::uint64_t whole = hash_values(
      std::span(reinterpret_cast<const RawWord*>(bytes.data()), words));  // chars may alias
  return combine_hashes(whole, hash_values(bytes.subspan(words * sizeof(RawWord))));
}

}  // namespace tern
