#pragma once

#include <string>
#include <vector>

#include "host/gradcheck/problem.hpp"

namespace tern::gradcheck_detail {

inline constexpr char kDifferences[] = "central differences";
inline constexpr char kDirections[] = "directional derivative";
inline constexpr char kAgainstReference[] = "against f64";

/// The lines of the report, in the order in which they were first added, with the worst error
/// of each beside the bound that it had: a bound may differ between problems.
class Report {
 public:
  void add(GradcheckResult result);
  std::vector<GradcheckResult> take() { return std::move(results_); }

 private:
  std::vector<GradcheckResult> results_;
};

/// max |a - b|; NaN if an element is, infinity if the sizes differ.
double largest_difference(const Values& a, const Values& b);
double largest(const Values& values);
/// error / scale; if the scale is 0, the error.
double relative_to(double scale, double error);
/// largest_difference(value, truth) / largest(truth); if the truth is zero, the difference.
double relative_error(const Values& value, const Values& truth);

/// (4 √n + 8) ε for sums of n terms in arithmetic of unit roundoff ε.
double summation_bound(std::int64_t terms, double epsilon);

}  // namespace tern::gradcheck_detail
