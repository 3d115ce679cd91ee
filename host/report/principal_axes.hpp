#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace tern::report {

/// The first two principal axes of a table of rows: the places of the rows on them, and the shares of the variance.
struct PrincipalAxes {
  std::vector<double> x;
  std::vector<double> y;
  double share_x = 0.0;
  double share_y = 0.0;
};

/// The widest table that has axes: its Gram matrix is decomposed in O(width³).
inline constexpr std::int64_t kMaxAxesWidth = 512;

/// The leading eigenvectors v of the Gram matrix XᵀX of the centred rows X, (rows, width) row-major, and X v. Their signs are
/// such that the largest element of v is positive. f64, in a fixed order: bitwise reproducible. Two columns at least, at most
/// kMaxAxesWidth, else no axes.
PrincipalAxes principal_axes(std::span<const float> table, std::int64_t width);

}  // namespace tern::report
