#include "host/gradcheck/differences.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "host/gradcheck/report.hpp"

namespace tern::gradcheck_detail {

double difference_step(const Values& x) {
  return 1e-3 * std::max(1.0, largest(x));
}

double difference_step(const Values& x, double least) {
  return difference_step(x) * std::clamp(least, 1e-3, 1.0);
}

double shortest_row(const Values& x, std::int64_t width) {
  double least = std::numeric_limits<double>::infinity();
  for (auto row = x.begin(); row != x.end(); row += width) {
    least = std::min(least, std::inner_product(row, row + width, row, 0.0));
  }
  return std::sqrt(least);
}

double derivative(const std::function<double(double)>& f, double h) {
  return (8.0 * (f(h) - f(-h)) - (f(2.0 * h) - f(-2.0 * h))) / (12.0 * h);
}

Values numeric_gradient(const Values& x, const std::function<double(const Values&)>& f) {
  return numeric_gradient(x, f, difference_step(x));
}

Values numeric_gradient(Values x, const std::function<double(const Values&)>& f, double h) {
  Values gradient;
  gradient.reserve(x.size());
  for (double& element : x) {
    const double middle = element;
    gradient.push_back(derivative(
        [&](double shift) {
          element = middle + shift;
          return f(x);
        },
        h));
    element = middle;
  }
  return gradient;
}

}  // namespace tern::gradcheck_detail
