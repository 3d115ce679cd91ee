#pragma once

#include <functional>

#include "host/gradcheck/problem.hpp"

namespace tern::gradcheck_detail {

/// 10⁻³ max(1, ‖x‖∞): a step for inputs of this size.
double difference_step(const Values& x);
/// The same for rows that are divided by their lengths, of which the shortest is `least`: the
/// derivatives of x / ‖x‖ grow with the powers of 1 / ‖x‖, and the step falls with ‖x‖. Steps below
/// 10⁻⁶ would leave only rounding errors.
double difference_step(const Values& x, double least);
/// The length of the shortest row.
double shortest_row(const Values& x, std::int64_t width);

/// f'(0) by the five-point rule (8 [f(h) - f(-h)] - [f(2h) - f(-2h)]) / 12h. Error: h⁴ f⁽⁵⁾ / 30 of
/// truncation, about ε |f| / h of rounding.
/// Source: Abramowitz and Stegun 1964, 25.3.6.
double derivative(const std::function<double(double)>& f, double h);

/// The gradient of f at x, element by element, by steps of h.
Values numeric_gradient(Values x, const std::function<double(const Values&)>& f, double h);
/// By steps of difference_step(x).
Values numeric_gradient(const Values& x, const std::function<double(const Values&)>& f);

}  // namespace tern::gradcheck_detail
