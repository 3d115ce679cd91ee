#include "bench/support/student.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace tern::bench {

double student_p(double t, int degrees) {
  const double angle = std::atan(std::abs(t) / std::sqrt(static_cast<double>(degrees)));
  const double squared = std::cos(angle) * std::cos(angle);
  const bool odd = degrees % 2 == 1;
  // 1 + 2/3 cos² + 2·4/(3·5) cos⁴ + ... for odd degrees, 1 + 1/2 cos² + 1·3/(2·4) cos⁴ + ... for even ones.
  double sum = 0.0;
  double term = 1.0;
  for (int k = 0; k < degrees / 2; ++k) {
    sum += term;
    const double next = 2.0 * k + 2.0;
    term *= squared * (odd ? next / (next + 1.0) : (next - 1.0) / next);
  }
  const double within =
      odd ? 2.0 / std::numbers::pi * (angle + std::sin(angle) * std::cos(angle) * sum)
          : std::sin(angle) * sum;
  return std::clamp(1.0 - within, 0.0, 1.0);
}

}  // namespace tern::bench
