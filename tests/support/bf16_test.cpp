#include "host/support/bf16.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>

namespace tern::test {
namespace {

float with_bits(std::uint32_t bits) {
  return std::bit_cast<float>(bits);
}

TEST(Bf16, RoundsToNearestAndTiesToEven) {
  // Around 1, neighbours are 2⁻⁷ apart.
  const float step = std::ldexp(1.0F, -7);
  EXPECT_EQ(round_to_bf16(1.0F), 1.0F);
  EXPECT_EQ(round_to_bf16(1.0F + 0.49F * step), 1.0F);
  EXPECT_EQ(round_to_bf16(1.0F + 0.51F * step), 1.0F + step);
  EXPECT_EQ(round_to_bf16(1.0F + 0.5F * step), 1.0F);             // even
  EXPECT_EQ(round_to_bf16(1.0F + 1.5F * step), 1.0F + 2 * step);  // up to even
  EXPECT_EQ(round_to_bf16(-1.0F - 2.5F * step), -1.0F - 2 * step);
  EXPECT_EQ(round_to_bf16(2.0F - 0.25F * step), 2.0F);  // into the next power of two
}

TEST(Bf16, KeepsWhatIsNoNumber) {
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(round_to_bf16(infinity), infinity);
  EXPECT_EQ(round_to_bf16(-infinity), -infinity);
  // The largest f32 is nearer to 2¹²⁸ than to the largest bf16.
  EXPECT_EQ(round_to_bf16(std::numeric_limits<float>::max()), infinity);
  EXPECT_EQ(round_to_bf16(with_bits(0x7F7F7FFF)), with_bits(0x7F7F0000));
  for (const std::uint32_t nan :
       {0x7F800001U, 0x7FC00000U, 0x7FFFFFFFU, 0xFF800001U, 0xFFFFFFFFU}) {
    EXPECT_TRUE(std::isnan(round_to_bf16(with_bits(nan)))) << nan;
  }
}

TEST(Bf16, KeepsSmallNumbersAndSigns) {
  EXPECT_EQ(to_bf16(0.0F), 0);
  EXPECT_EQ(to_bf16(-0.0F), 0x8000);
  EXPECT_EQ(to_bf16(with_bits(0x00010000)), 1);  // 2⁻¹³³, the smallest
  EXPECT_EQ(to_bf16(with_bits(0x00018000)), 2);
  EXPECT_EQ(to_bf16(with_bits(0x00008000)), 0);
  EXPECT_EQ(to_bf16(with_bits(0x00008001)), 1);
}

TEST(Bf16, EveryBf16IsItself) {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const float value = from_bf16(static_cast<Bf16>(bits));
    if (std::isnan(value)) continue;
    ASSERT_EQ(to_bf16(value), bits);
  }
}

TEST(Bf16, NoOtherBf16IsNearer) {
  std::mt19937 random(1);
  for (int i = 0; i < 100'000; ++i) {
    const float value = with_bits(static_cast<std::uint32_t>(random()) & 0xBFFFFFFFU);  // below 2
    const Bf16 rounded = to_bf16(value);
    const double error = std::abs(double{from_bf16(rounded)} - double{value});
    for (const int other : {rounded - 1, rounded + 1}) {
      const double distance = std::abs(double{from_bf16(static_cast<Bf16>(other))} - double{value});
      if (!std::isfinite(distance)) continue;
      ASSERT_LE(error, distance) << value;
    }
  }
}

}  // namespace
}  // namespace tern::test
