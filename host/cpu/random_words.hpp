#pragma once

#include <cstdint>

#include "tern/random.hpp"

namespace tern::cpu {

/// The random words of the elements (or rows) of one place in a model at one step: word i % 4 of
/// RandomStream(seed, purpose, step mod 2³², place · 2⁴⁸ + i / 4) belongs to element i.
struct WordStream {
  WordStream(Purpose purpose_in, Seed seed, std::int64_t step_in, std::uint32_t place)
      : first_index(std::uint64_t{place} << 48),
        step(static_cast<std::uint32_t>(step_in)),
        key0(static_cast<std::uint32_t>(seed.value)),
        key1(static_cast<std::uint32_t>(seed.value >> 32)),
        purpose(purpose_in) {}

  std::uint64_t first_index;  // of the place's first block
  std::uint32_t step;
  std::uint32_t key0;
  std::uint32_t key1;
  Purpose purpose;
};

/// The room that draw_words() needs is its number of blocks rounded up to this, times 4.
inline constexpr std::int64_t kBlockUnit = 16;

/// words[4 b + j] = word j of block first + b, for b < blocks; the words up to the end of the last
/// kBlockUnit may be overwritten. As many blocks of the generator side by side as a vector has
/// lanes.
void draw_words(const WordStream& stream, std::int64_t first, std::int64_t blocks,
                std::uint32_t* words);

}  // namespace tern::cpu
