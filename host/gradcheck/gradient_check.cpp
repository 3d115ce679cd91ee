#include "tern/gradient_check.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>

#include "host/gradcheck/differences.hpp"
#include "host/gradcheck/observations.hpp"
#include "tern/error.hpp"

namespace tern {
namespace {

using gradcheck_detail::Compared;
using gradcheck_detail::Derivative;
using gradcheck_detail::DifferenceOptions;
using gradcheck_detail::Values;

/// A finding that ends the check.
struct Stop {};

void check_options(const GradientCheckOptions& options, const NamedMatrices& point) {
  const auto require = [](bool holds, const char* name, double value, const char* expected) {
    if (!holds) throw ConfigError(fmt::format("{}: found {}, expected {}", name, value, expected));
  };
  const auto is_positive = [](double value) { return std::isfinite(value) && value > 0.0; };
  const auto is_tolerance = [](double value) { return std::isfinite(value) && value >= 0.0; };
  const double eps = options.eps.value_or(1.0);
  const double atol = options.atol.value_or(0.0);
  require(is_positive(eps), "eps", eps, "a finite number > 0");
  require(is_tolerance(atol), "atol", atol, "a finite number >= 0");
  require(is_tolerance(options.rtol), "rtol", options.rtol, "a finite number >= 0");
  require(options.directions >= 1, "directions", options.directions, "at least 1");
  require(options.evaluations >= 1, "evaluations", options.evaluations, "at least 1");
  for (const NamedMatrix& matrix : point) {
    const auto size = static_cast<std::int64_t>(matrix.values.size());
    if (size != matrix.rows * matrix.cols) {
      throw ShapeError(fmt::format("{}: {} values, expected {} x {}", matrix.name, size,
                                   matrix.rows, matrix.cols));
    }
  }
}

bool same_bits(const Values& a, const Values& b) {
  return std::memcmp(a.data(), b.data(), a.size() * sizeof(double)) == 0;
}

class Check {
 public:
  Check(const ValueFunction& value, const GradientFunction& gradient, const NamedMatrices& point,
        const GradientCheckOptions& options)
      : value_(value), gradient_(gradient), point_(point), moved_(point), options_(options) {
    result_.seed = options.seed;
  }

  GradientCheckResult run() {
    try {
      evaluate();
      choose_tolerance();
      for (std::size_t m = 0; m < point_.size(); ++m) {
        if (options_.mode == GradientCheckMode::kElements) {
          compare_elements(m);
        } else {
          compare_directions(m);
        }
      }
    } catch (const Stop&) {
    } catch (const std::exception& error) {
      result_.finding = GradientFinding::kThrew;
      result_.note = error.what();
    }
    return result_;
  }

 private:
  /// Value and analytic gradient at the point; they must be finite, and the same each time.
  void evaluate() {
    at_point_ = value_(point_);
    if (!std::isfinite(at_point_)) {
      result_.finding = GradientFinding::kNotFinite;
      result_.note = fmt::format("the value is {}", at_point_);
      throw Stop{};
    }
    analytic_ = computed_gradient();
    for (std::size_t m = 0; m < point_.size(); ++m) {
      for (std::size_t i = 0; i < analytic_[m].size(); ++i) {
        if (std::isfinite(analytic_[m][i])) continue;
        stop_at(m, i, GradientFinding::kNotFinite, analytic_[m][i], 0.0);
      }
    }
    for (int again = 1; again < options_.evaluations; ++again) {
      const double value = value_(point_);
      if (!same_bits({value}, {at_point_})) {
        result_.finding = GradientFinding::kNotReproducible;
        result_.note = fmt::format("the value was {:.17g}, then {:.17g}", at_point_, value);
        throw Stop{};
      }
      const std::vector<Values> gradients = computed_gradient();
      for (std::size_t m = 0; m < point_.size(); ++m) {
        for (std::size_t i = 0; i < gradients[m].size(); ++i) {
          if (same_bits({gradients[m][i]}, {analytic_[m][i]})) continue;
          stop_at(m, i, GradientFinding::kNotReproducible, analytic_[m][i], gradients[m][i]);
        }
      }
    }
  }

  std::vector<Values> computed_gradient() {
    std::vector<Values> gradient = gradient_(point_);
    if (gradient.size() != point_.size()) {
      throw ShapeError(
          fmt::format("the gradient has {} matrices, expected {}", gradient.size(), point_.size()));
    }
    for (std::size_t m = 0; m < point_.size(); ++m) {
      if (gradient[m].size() == point_[m].values.size()) continue;
      throw ShapeError(fmt::format("the gradient of {} has {} values, expected {}", point_[m].name,
                                   gradient[m].size(), point_[m].values.size()));
    }
    return gradient;
  }

  [[noreturn]] void stop_at(std::size_t m, std::size_t i, GradientFinding finding, double analytic,
                            double numeric) {
    locate(m, static_cast<std::int64_t>(i));
    result_.finding = finding;
    result_.analytic = analytic;
    result_.numeric = numeric;
    throw Stop{};
  }

  void locate(std::size_t m, std::int64_t element) {
    const std::int64_t cols = point_[m].cols;
    result_.matrix = point_[m].name;
    result_.row = element < 0 ? -1 : element / cols;
    result_.col = element < 0 ? -1 : element % cols;
  }

  void choose_tolerance() {
    differences_ = {.rtol = options_.rtol, .eps = options_.eps};
    double largest = 0.0;
    double squares = 0.0;
    std::size_t size = 0;
    for (const Values& gradient : analytic_) {
      size += gradient.size();
      for (const double value : gradient) {
        largest = std::max(largest, std::abs(value));
        squares += value * value;
      }
    }
    // A derivative along a random direction of length 1 is about as large as a typical element.
    const double typical =
        options_.mode == GradientCheckMode::kElements
            ? largest
            : std::sqrt(squares / static_cast<double>(std::max<std::size_t>(size, 1)));
    constexpr double kRounding = 1e-12;
    differences_.atol =
        options_.atol.value_or(std::max(options_.rtol * typical, kRounding * std::abs(at_point_)));
  }

  void compare_elements(std::size_t m) {
    const auto f = [&](const Values& at) {
      moved_[m].values = at;
      return value_(moved_);
    };
    const std::vector<Derivative> numeric =
        gradcheck_detail::numeric_gradient(point_[m].values, f, analytic_[m], differences_);
    moved_[m].values = point_[m].values;
    std::vector<Compared> compared;
    for (std::size_t i = 0; i < numeric.size(); ++i) {
      compared.push_back({static_cast<std::int64_t>(i), analytic_[m][i], numeric[i]});
    }
    add(m, compared);
  }

  /// The derivative along a direction through the elements [begin, end) of a matrix.
  Compared along(std::size_t m, const Values& direction, std::size_t begin, std::size_t end) {
    const auto f = [&](double shift) {
      for (std::size_t i = begin; i < end; ++i) {
        moved_[m].values[i] = point_[m].values[i] + shift * direction[i];
      }
      return value_(moved_);
    };
    double largest = 0.0;
    double expected = 0.0;
    for (std::size_t i = begin; i < end; ++i) {
      largest = std::max(largest, std::abs(point_[m].values[i]));
      expected += direction[i] * analytic_[m][i];
    }
    const Derivative found = gradcheck_detail::derivative(f, gradcheck_detail::step_scale(largest),
                                                          expected, differences_);
    moved_[m].values = point_[m].values;
    return {-1, expected, found};
  }

  void compare_directions(std::size_t m) {
    std::mt19937_64 random(options_.seed.value + m);
    const std::size_t size = point_[m].values.size();
    if (size == 0) return;
    std::vector<Compared> compared;
    for (int i = 0; i < options_.directions; ++i) {
      const Values direction = gradcheck_detail::random_direction(size, random);
      compared.push_back(along(m, direction, 0, size));
      if (is_right(compared.back())) continue;
      // One wrong direction tells as much as several.
      if (const std::optional<Compared> element = wrong_element(m, direction)) {
        compared.back() = *element;
      }
      break;
    }
    add(m, compared);
  }

  /// A wrong element, in the half with the larger error, and so on; none if the errors are only large together.
  std::optional<Compared> wrong_element(std::size_t m, const Values& direction) {
    std::size_t begin = 0;
    std::size_t end = direction.size();
    while (end - begin > 1) {
      const std::size_t middle = begin + (end - begin) / 2;
      const Compared first = along(m, direction, begin, middle);
      const Compared second = along(m, direction, middle, end);
      (first.error() >= second.error() ? end : begin) = middle;
    }
    Values unit(direction.size());
    unit[begin] = 1.0;
    Compared found = along(m, unit, begin, end);
    found.element = static_cast<std::int64_t>(begin);
    return is_right(found) ? std::nullopt : std::optional(found);
  }

  bool is_right(const Compared& derivative) const {
    return derivative.error() <= differences_.tolerance(derivative.numeric.value);
  }

  GradientFinding finding_of(const Compared& derivative) const {
    if (is_right(derivative)) return GradientFinding::kRight;
    if (!std::isfinite(derivative.numeric.value)) return GradientFinding::kNotFinite;
    const double known = 3.0 * derivative.numeric.uncertainty;
    const double tolerance = differences_.tolerance(derivative.numeric.value);
    return derivative.error() <= tolerance + known ? GradientFinding::kUncertain
                                                   : GradientFinding::kWrong;
  }

  /// Counts the derivatives of a matrix; the worst of all so far stands in the result.
  void add(std::size_t m, const std::vector<Compared>& compared) {
    bool is_worst = false;
    std::vector<std::int64_t> wrong;
    for (const Compared& derivative : compared) {
      const GradientFinding finding = finding_of(derivative);
      ++result_.compared;
      result_.kinks += derivative.numeric.at_kink ? 1 : 0;
      if (finding != GradientFinding::kRight) {
        ++result_.wrong;
        wrong.push_back(derivative.element);
      }
      const double tolerance = differences_.tolerance(derivative.numeric.value);
      const double share = tolerance > 0.0            ? derivative.error() / tolerance
                           : derivative.error() > 0.0 ? HUGE_VAL
                                                      : 0.0;
      // A right one never hides another, nor does an uncertain one hide a wrong one.
      const int rank = finding == GradientFinding::kRight       ? 0
                       : finding == GradientFinding::kUncertain ? 1
                                                                : 2;
      if (std::pair(rank, share) <= std::pair(worst_rank_, worst_share_)) continue;
      worst_rank_ = rank;
      worst_share_ = share;
      is_worst = true;
      locate(m, derivative.element);
      result_.finding = finding;
      result_.analytic = derivative.analytic;
      result_.numeric = derivative.numeric.value;
      result_.tolerance = tolerance;
      result_.uncertainty = derivative.numeric.uncertainty;
      result_.step = derivative.numeric.step;
    }
    if (is_worst) result_.note = gradcheck_detail::observe(point_[m], compared, wrong);
  }

  const ValueFunction& value_;
  const GradientFunction& gradient_;
  const NamedMatrices& point_;
  NamedMatrices moved_;
  const GradientCheckOptions& options_;
  double at_point_ = 0.0;
  std::vector<Values> analytic_;
  DifferenceOptions differences_;
  int worst_rank_ = -1;
  double worst_share_ = -1.0;
  GradientCheckResult result_;
};

}  // namespace

GradientCheckResult check_gradient(const ValueFunction& value, const GradientFunction& gradient,
                                   const NamedMatrices& point,
                                   const GradientCheckOptions& options) {
  check_options(options, point);
  return Check(value, gradient, point, options).run();
}

}  // namespace tern
