#pragma once

#include <cstdint>

#include "tern/random.hpp"

namespace tern::cuda {

/// The random words of the elements (or rows) of one place in a model at one step: word i % 4 of
/// RandomStream(seed, purpose, step, place · 2⁴⁸ + i / 4) belongs to element i.
struct WordStream {
  Purpose purpose;
  Seed seed;
  std::uint32_t step;
  std::uint32_t place;

  /// The words of elements [4 index, 4 index + 4).
  __device__ Words block(std::uint64_t index) const {
    RandomStream stream(seed, purpose, step, (std::uint64_t{place} << 48) + index);
    Words words{};
    for (std::uint32_t& word : words.word) word = stream.next();
    return words;
  }

  /// The words of elements [first, first + 4): of one block, or parts of two.
  __device__ Words of_elements(std::uint64_t first) const {
    const Words low = block(first / 4);
    const auto skip = static_cast<unsigned>(first % 4);
    if (skip == 0) return low;
    const Words high = block(first / 4 + 1);
    const std::uint32_t(&a)[4] = low.word;
    const std::uint32_t(&b)[4] = high.word;
    // Constant indices keep the words in registers.
    if (skip == 1) return Words{{a[1], a[2], a[3], b[0]}};
    if (skip == 2) return Words{{a[2], a[3], b[0], b[1]}};
    return Words{{a[3], b[0], b[1], b[2]}};
  }
};

}  // namespace tern::cuda
