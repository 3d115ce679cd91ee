#include "host/gradcheck/report.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace tern::gradcheck_detail {

namespace {

/// Whether a takes a larger share of its bound; NaN is worse than anything.
bool is_worse(const GradcheckResult& a, const GradcheckResult& b) {
  if (std::isnan(b.error)) return false;
  if (a.bound == b.bound) return !(a.error <= b.error);
  return !(a.error * b.bound <= b.error * a.bound);
}

}  // namespace

void Report::add(GradcheckResult result) {
  if (!wants(result.subject)) return;
  const auto same = std::find_if(results_.begin(), results_.end(), [&](const auto& known) {
    return known.subject == result.subject && known.quantity == result.quantity &&
           known.method == result.method && known.backend == result.backend;
  });
  if (same == results_.end()) {
    results_.push_back(std::move(result));
  } else if (is_worse(result, *same)) {
    *same = std::move(result);
  }
}

void Report::add(GradcheckResult line, const Values& found, const Values& expected, double scale) {
  line.error = relative_to(scale, largest_difference(found, expected));
  line.element = most_different(found, expected);
  if (line.element >= 0) {
    line.found = found[static_cast<std::size_t>(line.element)];
    line.expected = expected[static_cast<std::size_t>(line.element)];
  }
  add(std::move(line));
}

std::int64_t most_different(const Values& a, const Values& b) {
  if (a.size() != b.size()) return -1;
  double most = -1.0;
  std::int64_t element = -1;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double difference = std::abs(a[i] - b[i]);
    if (difference <= most) continue;
    most = difference;
    element = static_cast<std::int64_t>(i);
    if (std::isnan(difference)) break;
  }
  return element;
}

double largest_difference(const Values& a, const Values& b) {
  if (a.size() != b.size()) return std::numeric_limits<double>::infinity();
  const std::int64_t element = most_different(a, b);
  if (element < 0) return 0.0;
  const auto i = static_cast<std::size_t>(element);
  return std::abs(a[i] - b[i]);
}

double largest(const Values& values) {
  return largest_difference(values, Values(values.size(), 0.0));
}

double relative_to(double scale, double error) {
  return scale > 0.0 ? error / scale : error;
}

double relative_error(const Values& value, const Values& truth) {
  return relative_to(largest(truth), largest_difference(value, truth));
}

double comparison_bound(std::int64_t terms, double condition) {
  constexpr double kEpsilon = 0x1p-24;
  constexpr double kRoundings = 16.0;
  const double sums = (4.0 * std::sqrt(static_cast<double>(terms)) + 8.0) * kEpsilon;
  if (!(condition <= GradcheckResult::kMaxCondition)) return sums;
  return std::max(sums, kRoundings * condition * kEpsilon);
}

}  // namespace tern::gradcheck_detail
