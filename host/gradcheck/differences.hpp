#pragma once

#include <cmath>
#include <functional>
#include <limits>
#include <optional>
#include <random>
#include <vector>

namespace tern::gradcheck_detail {

using Values = std::vector<double>;

/// How a numeric derivative is taken, and how near to the expected one it has to be.
struct DifferenceOptions {
  /// The tolerance is atol + rtol |derivative|: the numeric one need not be known better.
  double atol = 0.0;
  double rtol = 0.0;
  /// One step for all; not given: chosen for each derivative.
  std::optional<double> eps = std::nullopt;

  double tolerance(double derivative) const { return atol + rtol * std::abs(derivative); }
};

/// A numeric derivative.
struct Derivative {
  double value = std::numeric_limits<double>::quiet_NaN();
  /// The estimated error; 0 with a given step, which has no estimate.
  double uncertainty = std::numeric_limits<double>::infinity();
  double step = 0.0;
  /// The function has a kink there, and `value` is the expected one, which is between the slopes.
  bool at_kink = false;
};

/// f'(0) with the step of the smallest estimated error, from 2⁻⁷ scale down to 2⁻²⁷ scale; see check_gradient
/// (tern/gradient_check.hpp). Ends early if the estimate is a tenth of the tolerance, or if the expected value is met
/// within a hundredth. Steps at which f is not finite are left out; if all are, the value is NaN.
///
/// If the expected value is not met, f may have a kink at 0: the slopes from left and right differ by as much for
/// every step there, and elsewhere by less for smaller ones.
Derivative derivative(const std::function<double(double)>& f, double scale, double expected,
                      const DifferenceOptions& options);

/// A random direction of length 1.
Values random_direction(std::size_t size, std::mt19937_64& random);

/// max(1, |x|) rounded up to a power of two, so that steps in proportion to it change x exactly.
double step_scale(double x);

/// The gradient of f at x, element by element.
std::vector<Derivative> numeric_gradient(Values x, const std::function<double(const Values&)>& f,
                                         const Values& expected, const DifferenceOptions& options);
Values values_of(const std::vector<Derivative>& derivatives);

}  // namespace tern::gradcheck_detail
