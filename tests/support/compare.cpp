#include "tests/support/compare.hpp"

#include <bit>
#include <cmath>

namespace tern::test {

double summation_factor(double num_terms) {
  return 8 + 4 * std::sqrt(num_terms);
}

testing::AssertionResult within_bound(const Comparison& result, double factor, double epsilon) {
  const auto cols = static_cast<std::size_t>(result.cols);
  const std::size_t size = result.expected.size();
  if (result.actual.size() != size || result.magnitude.size() != size ||
      (!result.written.empty() && result.written.size() * cols != size)) {
    return testing::AssertionFailure()
           << "sizes differ: " << result.actual.size() << " actual, " << size << " expected, "
           << result.magnitude.size() << " magnitudes, " << result.written.size()
           << " row marks of " << cols << " columns";
  }
  const double floor = epsilon > 0x1p-53 ? 0x1p-126 : 0;
  std::int64_t wrong = 0;
  testing::AssertionResult failure = testing::AssertionFailure();
  for (std::size_t i = 0; i < size; ++i) {
    const bool written = result.written.empty() || result.written[i / cols];
    const double bound = factor * epsilon * result.magnitude[i] + floor;
    // Any NaN makes this comparison false.
    const bool right = written ? std::abs(result.actual[i] - result.expected[i]) <= bound
                               : std::isnan(result.actual[i]);
    if (right) continue;
    if (wrong++ == 0) {
      failure << "element (" << i / cols << ", " << i % cols << ") is " << result.actual[i];
      if (written) {
        failure << ", expected " << result.expected[i] << " within " << bound;
      } else {
        failure << ", expected it untouched (NaN)";
      }
    }
  }
  if (wrong == 0) return testing::AssertionSuccess();
  return failure << "; " << wrong << " of " << size << " elements are wrong";
}

testing::AssertionResult same_bits(const Values& actual, const Values& expected) {
  if (actual.size() != expected.size()) {
    return testing::AssertionFailure()
           << actual.size() << " elements, expected " << expected.size();
  }
  for (std::size_t i = 0; i < actual.size(); ++i) {
    const bool both_nan = std::isnan(actual[i]) && std::isnan(expected[i]);
    if (!both_nan &&
        std::bit_cast<std::uint64_t>(actual[i]) != std::bit_cast<std::uint64_t>(expected[i])) {
      return testing::AssertionFailure() << "element " << i << " is " << actual[i] << ", expected "
                                         << expected[i] << " bit for bit";
    }
  }
  return testing::AssertionSuccess();
}

}  // namespace tern::test
