#include "host/report/principal_axes.hpp"

#include <cmath>

#include "host/support/symmetric_eigen.hpp"

namespace tern::report {
namespace {

/// The rows minus their mean.
std::vector<double> centred(std::span<const float> table, std::size_t width) {
  std::vector<double> mean(width, 0.0);
  for (std::size_t i = 0; i < table.size(); ++i) mean[i % width] += table[i];
  const std::size_t count = table.size() / width;
  for (double& value : mean) value /= static_cast<double>(count);
  std::vector<double> rows(table.begin(), table.end());
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i] -= mean[i % width];
  return rows;
}

/// The lower triangle of XᵀX.
std::vector<double> lower_gram(const std::vector<double>& rows, std::size_t width) {
  std::vector<double> gram(width * width, 0.0);
  for (std::size_t at = 0; at < rows.size(); at += width) {
    const double* row = rows.data() + at;
    for (std::size_t i = 0; i < width; ++i) {
      double* sums = gram.data() + i * width;
      for (std::size_t j = 0; j <= i; ++j) sums[j] += row[i] * row[j];
    }
  }
  return gram;
}

std::vector<double> project(const std::vector<double>& rows, std::span<const double> axis) {
  double largest = 0.0;
  for (const double value : axis) {
    if (std::abs(value) > std::abs(largest)) largest = value;
  }
  const double sign = largest < 0.0 ? -1.0 : 1.0;
  std::vector<double> places;
  for (std::size_t at = 0; at < rows.size(); at += axis.size()) {
    double sum = 0.0;
    for (std::size_t d = 0; d < axis.size(); ++d) sum += rows[at + d] * axis[d];
    places.push_back(sign * sum);
  }
  return places;
}

}  // namespace

PrincipalAxes principal_axes(std::span<const float> table, std::int64_t width) {
  if (width < 2 || width > kMaxAxesWidth || table.empty()) return {};
  const auto columns = static_cast<std::size_t>(width);
  const std::vector<double> rows = centred(table, columns);
  const SymmetricEigen eigen = symmetric_eigen(lower_gram(rows, columns), width);
  double all = 0.0;
  for (const double value : eigen.values) all += value;
  if (!(all > 0.0)) return {};
  const std::span<const double> vectors = eigen.vectors;
  return {.x = project(rows, vectors.subspan(0, columns)),
          .y = project(rows, vectors.subspan(columns, columns)),
          .share_x = eigen.values[0] / all,
          .share_y = eigen.values[1] / all};
}

}  // namespace tern::report
