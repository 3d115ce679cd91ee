#include <algorithm>
#include <cmath>
#include <vector>

#include "host/backend/checks.hpp"
#include "host/reference/backend.hpp"
#include "host/reference/unit_rows.hpp"

namespace tern::reference {

// y = x / max(‖x‖, 1e-12), row by row; then sum += weight · x
void ReferenceBackend::normalize_rows(const Matrix& x, Matrix& y, const RowSum& sum) {
  check_normalize_rows(x, y, sum);
  const MatrixView<const double> in = view(x, "normalize_rows", "x");
  const MatrixView<double> out = view(y, "normalize_rows", "y");
  const UnitRows units(in, rows_to_visit(nullptr, in.rows, "normalize_rows"));
  std::copy(units.values.begin(), units.values.end(), out.data);
  if (sum.sum == nullptr) return;
  const MatrixView<double> total = view(*sum.sum, "normalize_rows", "sum");
  for (const NodeId row : rows_to_visit(sum.rows, in.rows, "normalize_rows")) {
    for (std::int64_t d = 0; d < in.cols; ++d) {
      const double before = sum.begin == RowSum::Begin::kAtZero ? 0 : total(row, d);
      total(row, d) = before + sum.weight * in(row, d);
    }
  }
}

// grad_x = (grad_y - x̂ (x̂·grad_y)) / ‖x‖ + weight · addend, row by row
void ReferenceBackend::normalize_rows_backward(const Matrix& x, const Matrix& grad_y,
                                               Matrix& grad_x, const RowAddend& addend) {
  constexpr std::string_view kOp = "normalize_rows_backward";
  check_normalize_rows_backward(x, grad_y, grad_x, addend);
  const MatrixView<const double> in = view(x, kOp, "x");
  const MatrixView<const double> given = view(grad_y, kOp, "grad_y");
  const MatrixView<double> out = view(grad_x, kOp, "grad_x");
  const std::vector<NodeId> all = rows_to_visit(nullptr, in.rows, kOp);
  UnitRows units(in, all);
  std::copy_n(given.data, units.gradient.size(), units.gradient.begin());
  std::fill_n(out.data, units.gradient.size(), 0.0);
  units.scatter(all, out);
  if (addend.matrix == nullptr) return;
  const MatrixView<const double> added = view(*addend.matrix, kOp, "addend");
  for (const NodeId row : rows_to_visit(addend.rows, in.rows, kOp)) {
    for (std::int64_t d = 0; d < in.cols; ++d) out(row, d) += addend.weight * added(row, d);
  }
}

}  // namespace tern::reference
