#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "tern/types.hpp"

namespace tern::report {

/// The mean of a column, and the interval that holds it with 95% confidence.
struct Interval {
  double low = 0.0;
  double mean = 0.0;
  double high = 0.0;
};

inline constexpr std::size_t kResamples = 2000;

/// Percentile bootstrap over rows, such as a user's differences between two runs: kResamples times, as many rows are drawn with
/// replacement as there are; the interval goes from the 2.5% to the 97.5% quantile of the means of these samples. The
/// columns of a row are drawn together.
/// values: (rows, columns) row-major, at least one row. O(kResamples · rows · columns), in parallel; the same bits for any
/// number of threads. Source: Efron and Tibshirani 1993, "An introduction to the bootstrap", chapter 13.
std::vector<Interval> bootstrap(std::span<const double> values, std::size_t columns, Seed seed);

}  // namespace tern::report
