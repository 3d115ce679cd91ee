#include "host/gradcheck/observations.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace tern::gradcheck_detail {

std::string observe(const NamedMatrix& matrix, const std::vector<Compared>& compared,
                    const std::vector<std::int64_t>& wrong) {
  if (wrong.empty()) return {};
  double product = 0.0;
  double numeric = 0.0;
  double analytic = 0.0;
  for (const Compared& derivative : compared) {
    product += derivative.analytic * derivative.numeric.value;
    numeric += derivative.numeric.value * derivative.numeric.value;
    analytic += derivative.analytic * derivative.analytic;
  }
  if (analytic == 0.0 && compared.size() > 1) {
    return fmt::format("the whole gradient of {} is 0", matrix.name);
  }
  const double factor = product / numeric;
  // ‖a - c n‖² = ‖a‖² - c² ‖n‖² with the best factor c.
  const bool fits = analytic - factor * factor * numeric <= 1e-6 * analytic;
  if (compared.size() > 1 && fits && std::abs(factor - 1.0) > 1e-3) {
    return std::abs(factor + 1.0) < 1e-3
               ? fmt::format("the whole gradient of {} has the wrong sign", matrix.name)
               : fmt::format("the whole gradient of {} is {:.4g} times the numeric one",
                             matrix.name, factor);
  }
  const std::int64_t row = wrong.front() / matrix.cols;
  const bool one_row = wrong.size() > 1 && matrix.rows > 1 &&
                       std::all_of(wrong.begin(), wrong.end(), [&](std::int64_t element) {
                         return element >= 0 && element / matrix.cols == row;
                       });
  return one_row ? fmt::format("of {}, only row {} is wrong", matrix.name, row) : std::string();
}

}  // namespace tern::gradcheck_detail

namespace tern {
namespace {

std::string place_of(const GradientCheckResult& result) {
  if (result.row < 0) {
    const bool along = result.finding != GradientFinding::kDeviceDiffers;
    return along ? result.matrix + " along a direction" : result.matrix;
  }
  return fmt::format("{}[{}, {}]", result.matrix, result.row, result.col);
}

/// "user_embedding[3, 1]: analytic 0.25, numeric -0.25, error 5e-01, tolerance 3e-08, step 5e-04".
std::string derivative_of(const GradientCheckResult& r) {
  std::string text = fmt::format(
      "{}: analytic {:.9g}, numeric {:.9g}, error {:.1e}, tolerance {:.1e}", place_of(r),
      r.analytic, r.numeric, std::abs(r.analytic - r.numeric), r.tolerance);
  if (r.step > 0.0) text += fmt::format(", step {:.1e}", r.step);
  return text;
}

std::string finding_of(const GradientCheckResult& r) {
  switch (r.finding) {
    case GradientFinding::kRight: {
      std::string text = fmt::format("the gradient is right: {} derivatives compared", r.compared);
      if (r.kinks > 0) text += fmt::format(", {} at a kink", r.kinks);
      return r.matrix.empty() ? text : text + "; worst " + derivative_of(r);
    }
    case GradientFinding::kWrong:
      return fmt::format("the gradient is WRONG in {} of {} derivatives; worst {}", r.wrong,
                         r.compared, derivative_of(r));
    case GradientFinding::kUncertain:
      return fmt::format(
          "the differences are too inexact: {} is known to {:.1e} only; use a smaller problem or a "
          "larger atol",
          derivative_of(r), r.uncertainty);
    case GradientFinding::kNotFinite:
      if (r.matrix.empty()) return "not finite";
      return std::isfinite(r.analytic)
                 ? fmt::format("not finite: the function near the point, for {}", place_of(r))
                 : fmt::format("not finite: the derivative by {} is {}", place_of(r), r.analytic);
    case GradientFinding::kNotReproducible:
      if (r.matrix.empty()) return "not reproducible";
      return fmt::format("not reproducible: the derivative by {} was {:.17g}, then {:.17g}",
                         place_of(r), r.analytic, r.numeric);
    case GradientFinding::kThrew:
      return "an exception";
    case GradientFinding::kDeviceDiffers:
      return fmt::format("the device differs from the reference: {}", derivative_of(r));
  }
  return {};
}

}  // namespace

std::string GradientCheckResult::describe() const {
  std::string text = subject.empty() ? finding_of(*this) : subject + ": " + finding_of(*this);
  if (!note.empty()) text += (matrix.empty() ? ": " : "; ") + note;
  return text + fmt::format(" (seed {})", seed.value);
}

}  // namespace tern
