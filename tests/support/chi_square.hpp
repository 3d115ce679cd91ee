#pragma once

#include <cmath>
#include <cstdint>
#include <span>

namespace tern::test {

/// The deviation of counts from a law: Pearson's Σ (count - expected)² / expected as a normal deviate,
/// by the cube root of Wilson and Hilferty 1931. With the right law it exceeds 4.5 with probability
/// 3·10⁻⁶; with a wrong law it grows with the number of draws. It is infinite if an outcome of
/// probability 0 has a count.
inline double chi_square_deviate(std::span<const std::int64_t> counts,
                                 std::span<const double> law) {
  double total = 0;
  for (const std::int64_t count : counts) total += static_cast<double>(count);
  double statistic = 0;
  double freedom = -1;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (law[i] == 0) {
      if (counts[i] != 0) return INFINITY;
      continue;
    }
    const double expected = law[i] * total;
    const double difference = static_cast<double>(counts[i]) - expected;
    statistic += difference * difference / expected;
    freedom += 1;
  }
  const double spread = 2 / (9 * freedom);
  return (std::cbrt(statistic / freedom) - (1 - spread)) / std::sqrt(spread);
}

inline constexpr double kMaxDeviate = 4.5;

}  // namespace tern::test
