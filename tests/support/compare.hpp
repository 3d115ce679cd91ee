#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "tests/support/matrices.hpp"

namespace tern::test {

/// What an op left in a (rows, cols) matrix, and what it should have.
struct Comparison {
  Values actual;
  Values expected;   // of the f64 reference
  Values magnitude;  // Σ|terms| of every element: rounding errors are relative to this
  std::int64_t cols = 1;
  /// Rows that the op writes; empty: all. The others were poisoned with NaN and must still be.
  std::vector<bool> written = {};
};

/// c of a bound c·eps·Σ|terms| for sums of so many terms. Rounding errors of a sum of n terms are
/// a random walk of n steps, each at most half a unit of the partial sum: 4 sqrt(n) is far beyond
/// what it reaches, and far below the worst case n; 8 is room for the operations around the sum.
double summation_factor(double num_terms);

/// |actual - expected| <= factor · epsilon · magnitude in every written element, and every element
/// of the other rows still poisoned. In f32 the smallest normal number is allowed on top: numbers
/// below it may be flushed to zero. A NaN in a written row fails. The message names the first wrong
/// element and how many there are.
testing::AssertionResult within_bound(const Comparison& result, double factor, double epsilon);

/// Equal bit for bit; NaN equals NaN.
testing::AssertionResult same_bits(const Values& actual, const Values& expected);

}  // namespace tern::test
