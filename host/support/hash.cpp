#include "host/support/hash.hpp"

#include <fmt/format.h>

#include <array>

namespace tern {
namespace {

/// Eight bytes as they lie in memory.
struct RawWord {
  std::array<char, 8> bytes;
};
std::uint64_t hash_word(RawWord value) {
  return std::bit_cast<std::uint64_t>(value);
}

}  // namespace

std::uint64_t combine_hashes(std::uint64_t first, std::uint64_t second) {
  return mix_hash(mix_hash(0, first), second);
}

std::uint64_t hash_bytes(std::span<const char> bytes) {
  const std::size_t words = bytes.size() / sizeof(RawWord);
  const std::uint64_t whole = hash_values(
      std::span(reinterpret_cast<const RawWord*>(bytes.data()), words));  // chars may alias
  return combine_hashes(whole, hash_values(bytes.subspan(words * sizeof(RawWord))));
}

std::uint64_t hash_text(std::string_view text) {
  std::uint64_t hash = 0xCBF29CE484222325ull;
  for (const char byte : text) {
    hash ^= static_cast<unsigned char>(byte);
    hash *= 0x100000001B3ull;
  }
  return hash;
}

std::string hexadecimal(std::uint64_t value) {
  return fmt::format("{:016x}", value);
}

}  // namespace tern
