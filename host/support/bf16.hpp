#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

#include "tern/types.hpp"

namespace tern {

/// The upper half of an f32: its sign, its exponent, and 7 of its 23 fraction bits.
using Bf16 = std::uint16_t;

/// The nearest bf16, of two as near the one whose last bit is 0. Beyond the largest: infinity. NaN stays
/// NaN. By integers alone, so that no mode of a processor, such as flushing small numbers to zero,
/// changes a bit.
TERN_HD inline Bf16 to_bf16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  constexpr std::uint32_t kQuiet =
      0x00400000;  // else a NaN of low bits alone would become infinity
  if (std::isnan(value)) return static_cast<Bf16>((bits | kQuiet) >> 16);
  return static_cast<Bf16>((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
}

TERN_HD inline float from_bf16(Bf16 value) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(value) << 16);
}

TERN_HD inline float round_to_bf16(float value) {
  return from_bf16(to_bf16(value));
}

}  // namespace tern
