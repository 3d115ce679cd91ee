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

double largest_difference(const Values& a, const Values& b) {
  if (a.size() != b.size()) return std::numeric_limits<double>::infinity();
  double most = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double difference = std::abs(a[i] - b[i]);
    if (std::isnan(difference)) return difference;
    most = std::max(most, difference);
  }
  return most;
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

double summation_bound(std::int64_t terms, double epsilon) {
  return (4.0 * std::sqrt(static_cast<double>(terms)) + 8.0) * epsilon;
}

}  // namespace tern::gradcheck_detail
