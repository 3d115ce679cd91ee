#include <cmath>

#include "host/backend/checks.hpp"
#include "host/backend/expect.hpp"

namespace tern {

void check_propagate(const Graph& graph, Side to, const Matrix& x, const Matrix& y,
                     const PropagateOptions& options) {
  constexpr std::string_view kOp = "propagate";
  expect_present(kOp, "graph", graph);
  expect_present(kOp, "x", x);
  expect_shape(kOp, "x", x, graph.num_nodes(opposite(to)), x.cols());
  expect_shape(kOp, "y", y, graph.num_nodes(to), x.cols());
  expect_distinct(kOp, "x", x, "y", y);
  if (options.to != nullptr) expect_row_set(kOp, "to", *options.to, graph.num_nodes(to));
  if (options.from != nullptr) {
    expect_row_set(kOp, "from", *options.from, graph.num_nodes(opposite(to)));
  }
  if (options.addend != nullptr) {
    expect_shape(kOp, "addend", *options.addend, y.rows(), y.cols());
    expect_distinct(kOp, "addend", *options.addend, "y", y);
  }
  if (options.addend_rows != nullptr) {
    if (options.addend == nullptr) throw_shape("{}: found addend_rows without an addend", kOp);
    expect_row_set(kOp, "addend_rows", *options.addend_rows, graph.num_nodes(to));
  }
  const auto check_scales = [&](std::string_view what, const Matrix* scales, Side side) {
    const bool expected = options.normalization == Normalization::kGiven;
    if ((scales != nullptr) != expected) {
      throw_shape("{}: found {}{}, expected both to_scales and from_scales with kGiven alone", kOp,
                  expected ? "kGiven without " : "", what);
    }
    if (scales == nullptr) return;
    expect_shape(kOp, what, *scales, 1, graph.num_nodes(side));
    expect_distinct(kOp, what, *scales, "y", y);
  };
  check_scales("to_scales", options.to_scales, to);
  check_scales("from_scales", options.from_scales, opposite(to));
}

void check_normalize_rows(const Matrix& x, const Matrix& y, const RowSum& sum) {
  constexpr std::string_view kOp = "normalize_rows";
  expect_present(kOp, "x", x);
  expect_shape(kOp, "y", y, x.rows(), x.cols());
  expect_distinct(kOp, "x", x, "y", y);
  if (sum.sum == nullptr) {
    if (sum.rows != nullptr) throw_shape("{}: found rows of a sum without a sum", kOp);
    return;
  }
  expect_option("weight of normalize_rows", sum.weight, std::isfinite(sum.weight),
                "a finite number");
  expect_shape(kOp, "sum", *sum.sum, x.rows(), x.cols());
  expect_distinct(kOp, "x", x, "sum", *sum.sum);
  expect_distinct(kOp, "y", y, "sum", *sum.sum);
  if (sum.rows != nullptr) expect_row_set(kOp, "rows of the sum", *sum.rows, x.rows());
}

void check_normalize_rows_backward(const Matrix& x, const Matrix& grad_y, const Matrix& grad_x,
                                   const RowAddend& addend) {
  constexpr std::string_view kOp = "normalize_rows_backward";
  expect_present(kOp, "x", x);
  expect_shape(kOp, "grad_y", grad_y, x.rows(), x.cols());
  expect_shape(kOp, "grad_x", grad_x, x.rows(), x.cols());
  expect_distinct(kOp, "x", x, "grad_x", grad_x);
  if (addend.matrix == nullptr) {
    if (addend.rows != nullptr) throw_shape("{}: found rows of an addend without a matrix", kOp);
    return;
  }
  expect_option("weight of normalize_rows_backward", addend.weight, std::isfinite(addend.weight),
                "a finite number");
  expect_shape(kOp, "addend", *addend.matrix, x.rows(), x.cols());
  expect_distinct(kOp, "addend", *addend.matrix, "grad_x", grad_x);
  if (addend.rows != nullptr) expect_row_set(kOp, "rows of the addend", *addend.rows, x.rows());
}

}  // namespace tern
