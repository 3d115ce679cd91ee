#pragma once

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "tests/support/compare.hpp"
#include "tests/support/dense_layers.hpp"

namespace tern::test {

/// What both passes of a layer leave, by the names of LoadedLayer::outputs(), computed once more:
/// in f64 from the formulas alone, with no code of any backend. The magnitude of each element is
/// what its rounding errors add up to, in units of the arithmetic's epsilon: the summation bound of
/// each sum, carried through what is computed from it to first order (and to second in the
/// variance, which may be 0). Source of the bounds' form: Higham 2002, "Accuracy and Stability of
/// Numerical Algorithms", chapters 1 and 3.
/// The values must keep the arguments of ReLUs away from 0, as random_layer()'s do.
std::map<std::string, Comparison> expect_layer(const LayerShape& shape, const LayerValues& values,
                                               DenseMode mode, double epsilon,
                                               DenseTermGradients::Write add);

/// Every output that is expected is there, and within its bound.
testing::AssertionResult matches(const std::map<std::string, Values>& outputs,
                                 std::map<std::string, Comparison> expected, double epsilon);

}  // namespace tern::test
