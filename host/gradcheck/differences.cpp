#include "host/gradcheck/differences.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace tern::gradcheck_detail {
namespace {

constexpr double kEpsilon = 0x1p-53;
constexpr double kFirstStep = 0x1p-7;
constexpr double kFactor = 4.0;
constexpr int kSteps = 11;  // the last is 2⁻²⁷

/// A central difference, and the largest value that it is made of.
struct Difference {
  double slope;
  double largest;
};

Difference central(const std::function<double(double)>& f, double h) {
  const double up = f(h);
  const double down = f(-h);
  return {(up - down) / (2.0 * h), std::max(std::abs(up), std::abs(down))};
}

/// The best of the extrapolated differences.
Derivative extrapolate(const std::function<double(double)>& f, double scale, double expected,
                       double tolerance) {
  Derivative best;
  double h = kFirstStep * scale;
  Difference before = central(f, h);
  double last = std::numeric_limits<double>::quiet_NaN();
  for (int i = 1; i < kSteps; ++i) {
    h /= kFactor;
    const Difference now = central(f, h);
    // D(4h) - D(h) is 15 times the error of D(h), up to h⁴.
    const double change = (now.slope - before.slope) / (kFactor * kFactor - 1.0);
    const double value = now.slope + change;
    const double rounding = kEpsilon * now.largest / h;
    // The larger of two, since one alone may be small by accident: three differences have to agree.
    const double error = std::max(std::abs(change), std::abs(value - last)) + rounding;
    before = now;
    last = value;
    const bool met = std::abs(value - expected) <= 0.01 * tolerance;
    if (met) return {.value = value, .uncertainty = std::abs(change) + rounding, .step = h};
    if (i == 1 || !(error < best.uncertainty)) continue;
    best = {.value = value, .uncertainty = error, .step = h};
    if (error <= 0.1 * tolerance) break;
  }
  return best;
}

/// The slopes of f at 0 from either side, by one step.
struct Slopes {
  double left;
  double right;

  double bend() const { return std::abs(right - left); }
};

/// Whether f has a kink at 0, and the expected value is between its slopes.
bool is_at_kink(const std::function<double(double)>& f, double scale, double expected,
                double tolerance) {
  const double h = 0x1p-22 * scale;
  const double middle = f(0.0);
  double largest = std::abs(middle);
  const auto slopes = [&](double step) {
    const double up = f(step);
    const double down = f(-step);
    largest = std::max({largest, std::abs(up), std::abs(down)});
    return Slopes{(middle - down) / step, (up - middle) / step};
  };
  const Slopes fine = slopes(h);
  const Slopes wide = slopes(kFactor * h);
  const Slopes widest = slopes(kFactor * kFactor * h);
  const double rounding = 4.0 * kEpsilon * largest / h;
  // The bend of a kink is the same for each step, or a little smaller if the kink is beside 0. That of a smooth function
  // falls with the step; that of noise grows.
  const auto lasts = [](const Slopes& a, const Slopes& b) {
    return a.bend() > 0.5 * b.bend() && a.bend() < 1.1 * b.bend();
  };
  if (!(fine.bend() > 4.0 * rounding && lasts(fine, wide) && lasts(wide, widest))) return false;
  const double room = 10.0 * tolerance + rounding;
  return expected >= std::min(fine.left, fine.right) - room &&
         expected <= std::max(fine.left, fine.right) + room;
}

}  // namespace

Derivative derivative(const std::function<double(double)>& f, double scale, double expected,
                      const DifferenceOptions& options) {
  if (options.eps) {
    return {.value = central(f, *options.eps).slope, .uncertainty = 0.0, .step = *options.eps};
  }
  const double tolerance = options.tolerance(expected);
  Derivative found = extrapolate(f, scale, expected, tolerance);
  const bool met = std::abs(found.value - expected) <= options.tolerance(found.value);
  if (!met && is_at_kink(f, scale, expected, tolerance)) {
    found.value = expected;
    found.at_kink = true;
  }
  return found;
}

Values random_direction(std::size_t size, std::mt19937_64& random) {
  std::normal_distribution<double> normal;
  Values direction(size);
  for (double& value : direction) value = normal(random);
  const double length =
      std::sqrt(std::inner_product(direction.begin(), direction.end(), direction.begin(), 0.0));
  for (double& value : direction) value /= length;
  return direction;
}

double step_scale(double x) {
  return std::exp2(std::ceil(std::log2(std::max(1.0, std::abs(x)))));
}

std::vector<Derivative> numeric_gradient(Values x, const std::function<double(const Values&)>& f,
                                         const Values& expected, const DifferenceOptions& options) {
  std::vector<Derivative> gradient;
  gradient.reserve(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double middle = x[i];
    const auto along = [&](double shift) {
      x[i] = middle + shift;
      return f(x);
    };
    gradient.push_back(derivative(along, step_scale(middle), expected[i], options));
    x[i] = middle;
  }
  return gradient;
}

Values values_of(const std::vector<Derivative>& derivatives) {
  Values values;
  for (const Derivative& derivative : derivatives) values.push_back(derivative.value);
  return values;
}

}  // namespace tern::gradcheck_detail
