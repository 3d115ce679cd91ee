#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "tests/support/matrices.hpp"

namespace tern::test {

/// The values that an op left in a (rows, cols) matrix, and the expected ones.
struct Comparison {
  Values actual;
  Values expected;   // of the f64 reference
  Values magnitude;  // Σ|terms| of every element: rounding errors are relative to this
  std::int64_t cols = 1;
  /// Rows that the op writes; empty: all. The others must still be poisoned with NaN.
  std::vector<bool> written = {};
};

/// The factor c of the bound c·eps·Σ|terms| for sums of num_terms terms. Rounding errors of a sum of n
/// terms are a random walk of n steps, each at most half a unit of the partial sum. 4 sqrt(n) is far
/// beyond the reach of the walk, and far below the worst case n; 8 is for operations around the sum.
double summation_factor(double num_terms);

/// Whether |actual - expected| <= factor · epsilon · magnitude in every written element, and every
/// element of the other rows is still poisoned. In f32 the smallest normal number is added to the
/// bound, because smaller numbers may be flushed to zero. A NaN in a written row fails. The message
/// names the first wrong element, and the number of wrong ones.
testing::AssertionResult within_bound(const Comparison& result, double factor, double epsilon);

/// Whether all bits are equal; NaN equals NaN.
testing::AssertionResult same_bits(const Values& actual, const Values& expected);

}  // namespace tern::test
