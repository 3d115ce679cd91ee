#include "bench/support/compare.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "tern/error.hpp"

namespace tern::bench {
namespace {

constexpr double kElement = 1e-4;
constexpr double kTotal = 1e-5;

double norm_of_finite(std::span<const double> values) {
  double sum = 0.0;
  for (const double value : values) sum += std::isfinite(value) ? value * value : 0.0;
  return std::sqrt(sum);
}

}  // namespace

void expect_equal(std::string_view what, std::span<const float> found,
                  std::span<const double> expected, std::int64_t cols) {
  if (found.size() != expected.size()) {
    throw Error(fmt::format("{}: {} elements, expected {}", what, found.size(), expected.size()));
  }
  const double norm = norm_of_finite(expected);
  const double typical =
      norm / std::sqrt(static_cast<double>(std::max<std::size_t>(1, expected.size())));
  std::size_t wrong = 0;
  std::size_t first = 0;
  double squares = 0.0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    const double difference = found[i] - expected[i];
    // Comparisons with a NaN are false: a NaN is wrong unless a NaN is expected.
    const bool right = found[i] == expected[i] ||
                       (std::isnan(found[i]) && std::isnan(expected[i])) ||
                       (std::isfinite(expected[i]) &&
                        std::abs(difference) <= kElement * (std::abs(expected[i]) + typical));
    if (!right && wrong++ == 0) first = i;
    if (right && std::isfinite(expected[i])) squares += difference * difference;
  }
  if (wrong > 0) {
    const auto at = static_cast<std::int64_t>(first);
    throw Error(fmt::format(
        "{}: element ({}, {}) is {:.6g}, expected {:.6g}; {} of {} elements are wrong", what,
        at / cols, at % cols, found[first], expected[first], wrong, found.size()));
  }
  if (std::sqrt(squares) > kTotal * norm) {
    throw Error(fmt::format("{}: relative error {:.1e} over all elements, expected at most {:.0e}",
                            what, std::sqrt(squares) / norm, kTotal));
  }
}

void expect_equal(std::string_view what, Backend& backend, const Matrix& found, Backend& reference,
                  const Matrix& expected) {
  std::vector<float> values(static_cast<std::size_t>(found.size()));
  std::vector<double> wanted(static_cast<std::size_t>(expected.size()));
  backend.download(found, values);
  reference.download(expected, wanted);
  expect_equal(what, values, wanted, std::max<std::int64_t>(1, expected.cols()));
}

}  // namespace tern::bench
