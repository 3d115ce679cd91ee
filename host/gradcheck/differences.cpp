#include "host/gradcheck/differences.hpp"

#include <algorithm>

#include "host/gradcheck/report.hpp"

namespace tern::gradcheck_detail {

double difference_step(const Values& x) {
  return 1e-3 * std::max(1.0, largest(x));
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
