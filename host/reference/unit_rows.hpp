#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "tern/op_options.hpp"
#include "tern/types.hpp"
#include "tern/view.hpp"

namespace tern::reference {

inline constexpr double kSmallestNorm = 1e-12;

/// One side of the batch's pairs: the unit row and the norm of every pair's node, and the gradient
/// with respect to the unit row.
struct UnitRows {
  std::int64_t width;
  std::vector<double> values, norms, gradient;
  bool normalized;  // else values are the rows themselves

  UnitRows(const MatrixView<const double>& rows, const std::vector<NodeId>& nodes,
           PairSimilarity similarity = PairSimilarity::kCosine)
      : width(rows.cols),
        gradient(nodes.size() * static_cast<std::size_t>(rows.cols)),
        normalized(similarity == PairSimilarity::kCosine) {
    for (const NodeId node : nodes) {
      if (!normalized) {
        values.insert(values.end(), rows.row(node), rows.row(node) + width);
        continue;
      }
      double square = 0;
      for (std::int64_t d = 0; d < width; ++d) square += rows(node, d) * rows(node, d);
      norms.push_back(std::sqrt(square));
      const double divisor = std::max(norms.back(), kSmallestNorm);
      for (std::int64_t d = 0; d < width; ++d) values.push_back(rows(node, d) / divisor);
    }
  }

  const double* value(std::int64_t t) const { return values.data() + t * width; }
  double* grad(std::int64_t t) { return gradient.data() + t * width; }

  /// Adds ∂ê/∂e of every pair to its node's row of the gradient.
  void scatter(const std::vector<NodeId>& nodes, const MatrixView<double>& to) {
    for (std::int64_t t = 0; t < static_cast<std::int64_t>(nodes.size()); ++t) {
      if (!normalized) {
        double* row = to.row(nodes[static_cast<std::size_t>(t)]);
        for (std::int64_t d = 0; d < width; ++d) row[d] += grad(t)[d];
        continue;
      }
      const double norm = norms[static_cast<std::size_t>(t)];
      double along = 0;
      for (std::int64_t d = 0; d < width; ++d) along += value(t)[d] * grad(t)[d];
      if (norm <= kSmallestNorm) along = 0;  // the divisor is a constant
      for (std::int64_t d = 0; d < width; ++d) {
        to(nodes[static_cast<std::size_t>(t)], d) +=
            (grad(t)[d] - along * value(t)[d]) / std::max(norm, kSmallestNorm);
      }
    }
  }
};

inline double dot(const double* a, const double* b, std::int64_t width) {
  double sum = 0;
  for (std::int64_t d = 0; d < width; ++d) sum += a[d] * b[d];
  return sum;
}

inline void add(double factor, const double* x, std::int64_t width, double* to) {
  for (std::int64_t d = 0; d < width; ++d) to[d] += factor * x[d];
}

}  // namespace tern::reference
