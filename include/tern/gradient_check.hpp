#pragma once

// Checks of gradients that somebody wrote by hand: of a function of matrices here, of a loss or a model in
// tern/step_check.hpp. An analytic gradient is compared with differences of the function in f64.
//
//   const auto result = tern::check_gradient(value, gradient, {{"x", 2, 2, {1, 2, 3, 4}}});
//   if (!result.passed()) std::puts(result.describe().c_str());

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "tern/types.hpp"

namespace tern {

/// A row-major (rows, cols) matrix of doubles on the host, with a name for reports.
struct NamedMatrix {
  std::string name;
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  std::vector<double> values;
};

/// The point that a function is computed at: the matrices that it depends on, in a fixed order.
using NamedMatrices = std::vector<NamedMatrix>;
using ValueFunction = std::function<double(const NamedMatrices&)>;
/// The derivatives by every element: for each matrix of the point its values, row-major.
using GradientFunction = std::function<std::vector<std::vector<double>>(const NamedMatrices&)>;

enum class GradientCheckMode : std::uint8_t {
  /// One derivative for each element.
  kElements,
  /// Derivatives along random directions, those of each matrix by itself: for points that are too large for
  /// kElements. If one is wrong, halving its elements finds a wrong one. PyTorch's fast_mode.
  kDirections,
};

/// eps, atol and rtol have the names and the meaning of torch.autograd.gradcheck: a derivative a is right if
/// |a - n| <= atol + rtol |n|, with n the numeric one.
struct GradientCheckOptions {
  /// The step of central differences, [f(x + eps) - f(x - eps)] / 2 eps. Not given: each derivative has a step of
  /// its own, which the check chooses by the error that it estimates.
  std::optional<double> eps = {};
  /// Not given: rtol times the largest analytic derivative, but not less than the rounding errors of differences,
  /// 1e-12 |f|.
  std::optional<double> atol = {};
  double rtol = 1e-6;
  GradientCheckMode mode = GradientCheckMode::kElements;
  /// The number of directions for each matrix.
  int directions = 4;
  /// Value and gradient are computed this often at the point, and must have the same bits; 1: not checked.
  int evaluations = 2;
  /// The directions are drawn from it.
  Seed seed{0};
};

enum class GradientFinding : std::uint8_t {
  kRight,
  kWrong,            // a derivative differs from the numeric one
  kUncertain,        // they differ, but the numeric one is known no better
  kNotFinite,        // the value or a derivative is NaN or infinite
  kNotReproducible,  // the same point gave other bits
  kThrew,            // the function threw an exception
  kDeviceDiffers,    // another backend differs from the reference (tern/step_check.hpp)
};

/// What a check found, with the derivative that takes the largest share of its tolerance.
struct GradientCheckResult {
  GradientFinding finding = GradientFinding::kRight;
  std::string subject = {};  // "my loss over lightgcn"; empty for a function

  std::string matrix = {};  // empty: no derivative was compared, or it is the value that differs
  /// -1: the derivative is along a direction through the matrix.
  std::int64_t row = -1;
  std::int64_t col = -1;
  double analytic = 0.0;
  double numeric = 0.0;      // kDeviceDiffers: of the reference
  double tolerance = 0.0;    // for |analytic - numeric|
  double uncertainty = 0.0;  // the estimated error of `numeric`
  double step = 0.0;         // of the differences
  Seed seed{};               // of the problem or the directions

  std::int64_t compared = 0;  // derivatives
  std::int64_t wrong = 0;     // of these
  /// Derivatives at a kink of the function, such as that of ReLU at 0. They count as right if they are between the
  /// derivatives from the left and from the right.
  std::int64_t kinks = 0;
  /// Observations beside the numbers: "the gradient of x is -1 times the numeric one"; the message of an exception.
  std::string note = {};

  bool passed() const { return finding == GradientFinding::kRight; }
  /// One line for people: finding, worst derivative, step, tolerance, seed.
  std::string describe() const;
};

/// Compares the analytic gradient at a point with differences of the value.
///
/// Without eps, steps fall from 2⁻⁷ max(1, |x|) to 2⁻²⁷ max(1, |x|) by factors of 4. With D(h) the central difference,
/// the numeric derivative is R(h) = [16 D(h) - D(4h)] / 15, whose error is O(h⁴); the larger of |R(h) - D(h)| and
/// |R(h) - R(4h)| is the estimate of its error, to which ε |f| / h of rounding is added. The step with the smallest
/// estimate counts, so that a kink near the point does no harm: steps that reach across it disagree.
///
/// Deterministic, if the function is. An exception of the function is reported, not passed on. Throws ConfigError on
/// options out of range, ShapeError on a matrix whose values are not rows · cols.
/// Source: Richardson 1911; Ridders 1982, "Accurate computation of F'(x) and F'(x) F''(x)".
GradientCheckResult check_gradient(const ValueFunction& value, const GradientFunction& gradient,
                                   const NamedMatrices& point,
                                   const GradientCheckOptions& options = {});

}  // namespace tern
