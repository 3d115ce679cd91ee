#pragma once

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "tests/support/compare.hpp"
#include "tests/support/dense_layers.hpp"

namespace tern::test {

/// The results of both passes of a layer, by the names of LoadedLayer::outputs(), computed in f64 from
/// the formulas alone, without code of any backend. The magnitude of each element bounds its rounding
/// errors in units of the arithmetic's epsilon: the summation bound of each sum, propagated to first
/// order (to second order in the variance, which may be 0). Source of the bounds' form: Higham 2002,
/// "Accuracy and Stability of Numerical Algorithms", chapters 1 and 3.
/// The values must keep the arguments of ReLUs away from 0, like those of random_layer().
std::map<std::string, Comparison> expect_layer(const LayerShape& shape, const LayerValues& values,
                                               DenseMode mode, double epsilon,
                                               DenseTermGradients::Write add);

/// Whether every expected output exists, and is within its bound.
testing::AssertionResult matches(const std::map<std::string, Values>& outputs,
                                 std::map<std::string, Comparison> expected, double epsilon);

}  // namespace tern::test
