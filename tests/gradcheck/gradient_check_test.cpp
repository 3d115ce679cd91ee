#include "tern/gradient_check.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <stdexcept>

#include "host/gradcheck/differences.hpp"
#include "tern/error.hpp"

namespace tern::test {
namespace {

using gradcheck_detail::derivative;
using gradcheck_detail::Derivative;
using testing::HasSubstr;
using Gradients = std::vector<std::vector<double>>;

Derivative derivative_of(const std::function<double(double)>& f, double expected) {
  return derivative(f, 1.0, expected, {.atol = 1e-9 * std::abs(expected)});
}

TEST(NumericDerivative, HasTheStepThatTheFunctionNeeds) {
  struct Case {
    std::function<double(double)> f;
    double expected;
  };
  for (const auto& [f, expected] : std::vector<Case>{
           {[](double t) { return std::sin(1.0 + t); }, std::cos(1.0)},
           {[](double t) { return std::exp(300.0 * t); }, 300.0},
           {[](double t) { return 1.0 / (1e-3 + t); }, -1e6},   // a pole near by
           {[](double t) { return std::log(2e-5 + t); }, 5e4},  // not defined at most steps
           {[](double t) { return std::max(0.0, 1e-5 - t) + 3.0 * t; }, 2.0}}) {  // a kink near by
    const Derivative found = derivative_of(f, expected);
    EXPECT_NEAR(found.value, expected, 1e-6 * std::abs(expected));
    // Without knowing the result, too.
    const Derivative blind = derivative(f, 1.0, std::nan(""), {});
    EXPECT_NEAR(blind.value, expected, 1e-6 * std::abs(expected));
    EXPECT_LE(std::abs(blind.value - expected),
              30.0 * blind.uncertainty + 1e-9 * std::abs(expected));
  }
}

TEST(NumericDerivative, AtAKinkIsAnyBetweenTheSlopes) {
  const auto f = [](double t) { return 2.0 * t + std::abs(t); };
  for (const double right : {1.0, 1.5, 2.5, 3.0})
    EXPECT_TRUE(derivative_of(f, right).at_kink) << right;
  for (const double wrong : {0.9, 3.1, -2.0}) {
    const Derivative found = derivative_of(f, wrong);
    EXPECT_FALSE(found.at_kink);
    EXPECT_NEAR(found.value, 2.0, 1e-9);
  }
  // A bend that is only sharp is no kink.
  const auto sharp = [](double t) { return std::sqrt(t * t + 1e-6); };
  EXPECT_FALSE(derivative_of(sharp, 0.5).at_kink);
}

TEST(NumericDerivative, WithAGivenStepIsTheCentralDifference) {
  const auto cube = [](double t) { return t * t * t; };
  EXPECT_NEAR(derivative(cube, 1.0, 0.0, {.eps = 0.5}).value, 0.25, 1e-15);
}

/// f(x, y) = Σ x² y / 2 + sin(y₀), and its gradient.
struct Example {
  NamedMatrices at{{"x", 3, 2, {1.0, -2.0, 0.5, 3.0, -1.0, 0.25}},
                   {"y", 3, 2, {0.5, 1.5, -1.0, 2.0, 0.75, -0.5}}};
  std::function<void(Gradients&)> fault = [](auto&) {};

  static double value(const NamedMatrices& p) {
    double sum = std::sin(p[1].values[0]);
    for (std::size_t i = 0; i < 6; ++i)
      sum += p[0].values[i] * p[0].values[i] * p[1].values[i] / 2.0;
    return sum;
  }
  Gradients gradient(const NamedMatrices& p) const {
    Gradients found(2);
    for (std::size_t i = 0; i < 6; ++i) {
      found[0].push_back(p[0].values[i] * p[1].values[i]);
      found[1].push_back(p[0].values[i] * p[0].values[i] / 2.0 +
                         (i == 0 ? std::cos(p[1].values[0]) : 0.0));
    }
    fault(found);
    return found;
  }
  GradientCheckResult check(const GradientCheckOptions& options = {}) const {
    return check_gradient(
        value, [this](const NamedMatrices& p) { return gradient(p); }, at, options);
  }
};

TEST(GradientCheck, ARightGradientPasses) {
  const GradientCheckResult result = Example{}.check();
  EXPECT_TRUE(result.passed()) << result.describe();
  EXPECT_EQ(result.compared, 12);
  EXPECT_EQ(result.wrong, 0);
  EXPECT_LE(std::abs(result.analytic - result.numeric), 1e-8);
  EXPECT_THAT(result.describe(), HasSubstr("the gradient is right: 12 derivatives compared"));
}

TEST(GradientCheck, OneWrongElementIsNamed) {
  Example example;
  example.fault = [](auto& g) { g[1][5] *= 1.0 + 1e-3; };
  const GradientCheckResult result = example.check();
  EXPECT_EQ(result.finding, GradientFinding::kWrong);
  EXPECT_EQ(result.matrix, "y");
  EXPECT_EQ(result.row, 2);
  EXPECT_EQ(result.col, 1);
  EXPECT_EQ(result.wrong, 1);
  EXPECT_NEAR(result.numeric, 0.03125, 1e-9);
  EXPECT_NEAR(result.analytic, 0.03125 * (1.0 + 1e-3), 1e-12);
  EXPECT_THAT(result.describe(),
              HasSubstr("WRONG in 1 of 12 derivatives; worst y[2, 1]: analytic 0.031"));
}

TEST(GradientCheck, WhatWrongDerivativesHaveInCommonIsSaid) {
  const auto described = [](auto fault) {
    Example example;
    example.fault = fault;
    return example.check().describe();
  };
  const auto all = [](std::vector<double>& g, double factor) {
    for (double& value : g) value *= factor;
  };
  EXPECT_THAT(described([&](auto& g) { all(g[0], -1.0); }),
              HasSubstr("the whole gradient of x has the wrong sign"));
  EXPECT_THAT(described([&](auto& g) { all(g[1], 2.0); }),
              HasSubstr("the whole gradient of y is 2 times the numeric one"));
  EXPECT_THAT(described([&](auto& g) { all(g[1], 0.0); }),
              HasSubstr("the whole gradient of y is 0"));
  EXPECT_THAT(described([&](auto& g) { g[0][2] = g[0][3] = 0.0; }),
              HasSubstr("of x, only row 1 is wrong"));
}

TEST(GradientCheck, DirectionsFindTheElementToo) {
  const std::size_t size = 20'000;
  NamedMatrices at{{"x", 10'000, 2, std::vector<double>(size)}};
  for (std::size_t i = 0; i < size; ++i) at[0].values[i] = std::sin(static_cast<double>(i));
  std::int64_t evaluations = 0;
  const auto value = [&](const NamedMatrices& p) {
    ++evaluations;
    double sum = 0.0;
    for (const double x : p[0].values) sum += std::cos(x);
    return sum;
  };
  double factor = 1.0;
  const auto gradient = [&](const NamedMatrices& p) {
    std::vector<double> found;
    for (const double x : p[0].values) found.push_back(-std::sin(x));
    found[12'345] *= factor;
    return Gradients{found};
  };
  const GradientCheckOptions options{.mode = GradientCheckMode::kDirections};
  const GradientCheckResult right = check_gradient(value, gradient, at, options);
  EXPECT_TRUE(right.passed()) << right.describe();
  EXPECT_EQ(right.compared, 4);
  EXPECT_EQ(right.row, -1);
  factor = -1.0;
  const GradientCheckResult wrong = check_gradient(value, gradient, at, options);
  EXPECT_EQ(wrong.finding, GradientFinding::kWrong) << wrong.describe();
  EXPECT_EQ(wrong.row, 6172);
  EXPECT_EQ(wrong.col, 1);
  EXPECT_LT(evaluations, 2'000);
}

TEST(GradientCheck, KinksAreCountedAndDoNoHarm) {
  // Σ max(0, x): one element at the kink, one 3·10⁻⁶ beside it.
  const NamedMatrices at{{"x", 1, 3, {0.0, -3e-6, 0.7}}};
  const auto value = [](const NamedMatrices& p) {
    double sum = 0.0;
    for (const double x : p[0].values) sum += std::max(0.0, x);
    return sum;
  };
  double at_zero = 0.0;
  double beside = 0.0;
  const auto gradient = [&](const NamedMatrices&) { return Gradients{{at_zero, beside, 1.0}}; };
  GradientCheckResult result = check_gradient(value, gradient, at);
  EXPECT_TRUE(result.passed()) << result.describe();
  EXPECT_EQ(result.kinks, 1);
  EXPECT_THAT(result.describe(), HasSubstr("1 at a kink"));
  at_zero = -0.1;
  EXPECT_EQ(check_gradient(value, gradient, at).col, 0);
  at_zero = 0.5;
  beside = 0.5;
  result = check_gradient(value, gradient, at);
  EXPECT_EQ(result.finding, GradientFinding::kWrong);
  EXPECT_EQ(result.col, 1);
}

TEST(GradientCheck, TolerancesAndStepAreThoseOfTorch) {
  Example example;
  example.fault = [](auto& g) { g[0][3] += 1e-3; };  // of a derivative of 6
  EXPECT_FALSE(example.check().passed());
  EXPECT_TRUE(example.check({.eps = 1e-6, .atol = 1e-5, .rtol = 1e-3}).passed());
  EXPECT_TRUE(example.check({.atol = 2e-3, .rtol = 0.0}).passed());
  EXPECT_FALSE(example.check({.atol = 5e-4, .rtol = 1e-5}).passed());
  const GradientCheckResult coarse = Example{}.check({.eps = 0.1});
  EXPECT_EQ(coarse.finding, GradientFinding::kWrong);  // sin is no parabola
  EXPECT_EQ(coarse.step, 0.1);
  EXPECT_EQ(coarse.matrix, "y");
}

TEST(GradientCheck, NumbersThatAreNotFiniteAreNamed) {
  Example example;
  example.fault = [](auto& g) { g[0][4] = std::nan(""); };
  const GradientCheckResult result = example.check();
  EXPECT_EQ(result.finding, GradientFinding::kNotFinite);
  EXPECT_THAT(result.describe(), HasSubstr("the derivative by x[2, 0] is nan"));
  const auto none = [](const NamedMatrices&) { return Gradients{}; };
  const auto infinite = [](const NamedMatrices&) {
    return std::numeric_limits<double>::infinity();
  };
  EXPECT_THAT(check_gradient(infinite, none, {}).describe(),
              HasSubstr("not finite: the value is inf"));
  // Finite at the point alone.
  const auto at_one = [](const NamedMatrices& p) {
    return p[0].values[0] == 1.0 ? 0.0 : std::nan("");
  };
  const auto zero = [](const NamedMatrices&) { return Gradients{{0.0}}; };
  EXPECT_THAT(check_gradient(at_one, zero, {{"x", 1, 1, {1.0}}}).describe(),
              HasSubstr("not finite: the function near the point, for x[0, 0]"));
}

TEST(GradientCheck, OtherBitsOfTheSamePointAreSeen) {
  Example example;
  double noise = 0.0;
  example.fault = [&](auto& g) { g[1][2] += noise += 1e-15; };
  GradientCheckResult result = example.check();
  EXPECT_EQ(result.finding, GradientFinding::kNotReproducible);
  EXPECT_THAT(result.describe(),
              HasSubstr("not reproducible: the derivative by y[1, 0] was 0.125"));
  result = example.check({.evaluations = 1});
  EXPECT_TRUE(result.passed()) << result.describe();
  const auto drifting = [&](const NamedMatrices& p) { return Example::value(p) + (noise += 1e-9); };
  const auto gradient = [](const NamedMatrices& p) { return Example{}.gradient(p); };
  EXPECT_THAT(check_gradient(drifting, gradient, example.at).describe(),
              HasSubstr("not reproducible: the value was "));
}

TEST(GradientCheck, ExceptionsAreReported) {
  const auto throws = [](const NamedMatrices&) -> double {
    throw std::runtime_error("no such row");
  };
  const auto none = [](const NamedMatrices&) { return Gradients{}; };
  const GradientCheckResult result = check_gradient(throws, none, {});
  EXPECT_EQ(result.finding, GradientFinding::kThrew);
  EXPECT_THAT(result.describe(), HasSubstr("an exception: no such row"));
  EXPECT_THAT(check_gradient(Example::value, none, Example{}.at).describe(),
              HasSubstr("the gradient has 0 matrices, expected 2"));
}

TEST(GradientCheck, DifferencesThatAreTooInexactAreNoVerdict) {
  // Noise of 10⁻⁶, the same in every evaluation of a point.
  const auto noisy = [](const NamedMatrices& p) {
    const double x = p[0].values[0];
    return x + 1e-6 * std::sin(1.2345678e11 * x);
  };
  const auto gradient = [](const NamedMatrices&) { return Gradients{{1.0 + 1e-5}}; };
  const GradientCheckResult result = check_gradient(noisy, gradient, {{"x", 1, 1, {0.3}}});
  EXPECT_EQ(result.finding, GradientFinding::kUncertain) << result.describe();
  EXPECT_THAT(result.describe(), HasSubstr("the differences are too inexact"));
}

TEST(GradientCheck, OptionsOutOfRangeAreRefused) {
  const double nan = std::nan("");
  for (const GradientCheckOptions& options :
       {GradientCheckOptions{.eps = 0.0}, GradientCheckOptions{.eps = nan},
        GradientCheckOptions{.atol = -1.0}, GradientCheckOptions{.rtol = nan},
        GradientCheckOptions{.directions = 0}, GradientCheckOptions{.evaluations = 0}}) {
    EXPECT_THROW(Example{}.check(options), ConfigError);
  }
  Example example;
  example.at[0].rows = 4;
  EXPECT_THROW(example.check(), ShapeError);
}

}  // namespace
}  // namespace tern::test
