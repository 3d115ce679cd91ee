#pragma once

#include <string>
#include <vector>

#include "host/gradcheck/problem.hpp"
#include "host/gradcheck/subject_filter.hpp"

namespace tern::gradcheck_detail {

inline constexpr char kDifferences[] = "central differences";
inline constexpr char kDirections[] = "directional derivative";
inline constexpr char kAgainstReference[] = "against f64";

/// The lines of the report, in the order in which they were first added, with the worst error
/// of each beside the bound that it had: a bound may differ between problems.
class Report {
 public:
  /// Results of other subjects are dropped.
  explicit Report(SubjectFilter filter = SubjectFilter()) : filter_(std::move(filter)) {}

  /// Whether results of a subject are kept: those of others need not be computed.
  bool wants(const std::string& subject) const { return filter_.matches(subject); }
  void add(GradcheckResult result);
  /// Adds the largest difference of two results, relative to scale.
  void add(GradcheckResult line, const Values& found, const Values& expected, double scale);
  std::vector<GradcheckResult> take() { return std::move(results_); }

 private:
  SubjectFilter filter_;
  std::vector<GradcheckResult> results_;
};

/// The first element with max |a - b|, or with NaN; -1 if there is none or the sizes differ.
std::int64_t most_different(const Values& a, const Values& b);
/// max |a - b|; NaN if an element is, infinity if the sizes differ.
double largest_difference(const Values& a, const Values& b);
double largest(const Values& values);
/// error / scale; if the scale is 0, the error.
double relative_to(double scale, double error);
/// largest_difference(value, truth) / largest(truth); if the truth is zero, the difference.
double relative_error(const Values& value, const Values& truth);

/// The bound of a result in f32, relative to its scale: (4 √n + 8) ε for sums of n terms or, if that is more, the effect
/// of a few roundings in an ill-conditioned problem, 16 κ ε (RoundedBackend); ε = 2⁻²⁴. A condition κ beyond
/// GradcheckResult::kMaxCondition, or none (NaN), has no effect.
double comparison_bound(std::int64_t terms, double condition);

}  // namespace tern::gradcheck_detail
