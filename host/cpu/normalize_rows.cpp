// Rows of length 1 and the way back, see Backend::normalize_rows: by the row kernels of the losses.
//
// Memory is the limit: two matrices forward and three or four backward, each read or written once. The
// loops over a row, of which there are up to five, find it in the L1 cache. A row is one piece of work,
// whose order of summation depends on its width alone: the same bits for any number of threads. A backend
// with a part of the columns completes the sums over a row first: ‖x‖², and x·grad_y on the way back.

#include <algorithm>

#include "host/backend/checks.hpp"
#include "host/cpu/backend.hpp"
#include "host/cpu/unit_rows.hpp"

namespace tern::cpu {
namespace {

/// The marks of a set's rows; null: every row.
const std::uint8_t* marks_of(const RowSet* rows) {
  return rows == nullptr ? nullptr : storage(*rows).marks.data();
}

}  // namespace

void CpuBackend::normalize_rows(const Matrix& x, Matrix& y, const RowSum& sum) {
  check_normalize_rows(x, y, sum);
  const RowKernels kernels = choose_row_kernels();
  const MatrixView<float> in = view(x);
  const MatrixView<float> out = view(y);
  const MatrixView<float> total = sum.sum == nullptr ? MatrixView<float>() : view(*sum.sum);
  const std::uint8_t* const summed = marks_of(sum.rows);
  const float weight = finite_factor(sum.weight);
  const auto add = sum.begin == RowSum::Begin::kAtZero ? kernels.scale : kernels.add;
  if (in.cols == 0) return;
  if (sums_ != nullptr) {
    row_sums_.resize(static_cast<std::size_t>(in.rows));
    parallel_for_blocks(pool_, in.rows, kRowBlock, [&](std::int64_t row) {
      row_sums_[row] = square_of_part(kernels, in.row(row), in.stride);
    });
    sums_->complete(row_sums_);
  }
  parallel_for_blocks(pool_, in.rows, kRowBlock, [&](std::int64_t row) {
    if (sums_ == nullptr) {
      normalize(kernels, in.row(row), out.row(row), in.stride);
    } else {
      normalize_part(kernels, in.row(row), row_sums_[row], out.row(row), in.stride);
    }
    if (total.data == nullptr || (summed != nullptr && summed[row] == 0)) return;
    add(weight, in.row(row), total.row(row), in.stride);
  });
}

void CpuBackend::normalize_rows_backward(const Matrix& x, const Matrix& grad_y, Matrix& grad_x,
                                         const RowAddend& addend) {
  check_normalize_rows_backward(x, grad_y, grad_x, addend);
  const RowKernels kernels = choose_row_kernels();
  const MatrixView<float> in = view(x);
  const MatrixView<float> given = view(grad_y);
  const MatrixView<float> out = view(grad_x);
  const MatrixView<float> added =
      addend.matrix == nullptr ? MatrixView<float>() : view(*addend.matrix);
  const std::uint8_t* const wanted = marks_of(addend.rows);
  const float weight = finite_factor(addend.weight);
  if (in.cols == 0) return;
  if (sums_ != nullptr) {
    row_sums_.resize(static_cast<std::size_t>(2 * in.rows));
    parallel_for_blocks(pool_, in.rows, kRowBlock, [&](std::int64_t row) {
      row_sums_[row] = square_of_part(kernels, in.row(row), in.stride);
      row_sums_[in.rows + row] = dot_of_part(kernels, in.row(row), given.row(row), in.stride);
    });
    sums_->complete(row_sums_);
  }
  parallel_for_blocks(pool_, in.rows, kRowBlock, [&](std::int64_t row) {
    if (out.data != given.data) std::copy_n(given.row(row), in.stride, out.row(row));
    if (sums_ == nullptr) {
      project_by_row(kernels, in.row(row), out.row(row), in.stride);
    } else {
      project_part_by_row(kernels, in.row(row), row_sums_[row], row_sums_[in.rows + row],
                          out.row(row), in.stride);
    }
    if (added.data == nullptr || (wanted != nullptr && wanted[row] == 0)) return;
    kernels.add(weight, added.row(row), out.row(row), in.stride);
  });
}

}  // namespace tern::cpu
