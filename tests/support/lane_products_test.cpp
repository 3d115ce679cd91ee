#include "host/support/lane_products.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

namespace tern::test {
namespace {

std::vector<float> random_values(std::int64_t count, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& value : values) value = normal(random);
  return values;
}

TEST(LaneProducts, EqualPlainSums) {
  for (const std::int64_t rows : {1, 7, 8, 9, 24, 33}) {
    for (const std::int64_t cols : {0, 1, 5, 256}) {
      const std::vector<float> a = random_values(rows * cols, 1);
      const std::vector<float> b = random_values(cols * kProductLanes, 2);
      // Guards behind the end.
      std::vector<float> c(static_cast<std::size_t>((rows + 1) * kProductLanes), 77.0F);
      multiply_lanes(a.data(), rows, cols, b.data(), c.data());
      for (std::int64_t r = 0; r < rows; ++r) {
        for (std::int64_t lane = 0; lane < kProductLanes; ++lane) {
          double sum = 0.0, size = 0.0;
          for (std::int64_t d = 0; d < cols; ++d) {
            const double term = double(a[r * cols + d]) * double(b[d * kProductLanes + lane]);
            sum += term;
            size += std::abs(term);
          }
          ASSERT_NEAR(c[r * kProductLanes + lane], sum, 1e-6 * size + 1e-30)
              << rows << ' ' << cols << " at " << r << ' ' << lane;
        }
      }
      EXPECT_TRUE(
          std::all_of(c.end() - kProductLanes, c.end(), [](float v) { return v == 77.0F; }));
    }
  }
}

TEST(LaneProducts, AColumnHasTheSameBitsInEveryPlace) {
  const std::int64_t rows = 21, cols = 100;
  const std::vector<float> a = random_values(rows * cols, 1);
  const std::vector<float> column = random_values(cols, 2);
  std::vector<float> first;
  for (std::int64_t lane = 0; lane < kProductLanes; ++lane) {
    std::vector<float> b = random_values(cols * kProductLanes, static_cast<std::uint32_t>(lane));
    for (std::int64_t d = 0; d < cols; ++d) b[d * kProductLanes + lane] = column[d];
    std::vector<float> c(static_cast<std::size_t>(rows * kProductLanes)), own;
    multiply_lanes(a.data(), rows, cols, b.data(), c.data());
    for (std::int64_t r = 0; r < rows; ++r) own.push_back(c[r * kProductLanes + lane]);
    if (lane == 0) first = own;
    EXPECT_EQ(own, first) << lane;
  }
}

}  // namespace
}  // namespace tern::test
