#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "host/backend/pair_layout.hpp"
#include "host/cpu/backend.hpp"
#include "host/cpu/unit_rows.hpp"
#include "host/cpu/whole_rows.hpp"
#include "host/support/parallel.hpp"

namespace tern::cpu {

// The pairs (u_t, p_t) of the current batch, for losses over their unit rows, and with a layout that
// has them the sampled negatives as more columns.

/// Calls visit(t) for every pair that has distinct row r of a side, or, for items, every column, in the
/// order of the triplets. Without a layout, negatives of triplets make no column.
template <class Visit>
void for_pairs_of(const TripletsStorage& state, Side side, std::int64_t r, const Visit& visit,
                  const PairLayout& layout = {}) {
  const Occurrences& of = state.occurrences[static_cast<std::size_t>(side)];
  for (std::int32_t o = of.starts[r]; o < of.starts[r + 1]; ++o) {
    const std::int32_t t = layout.place(side, of.occurrences[o], std::ssize(state.current));
    if (t >= 0) visit(t);
  }
}

/// The last of them; -1 if the row has none.
inline std::int32_t last_pair_of(const TripletsStorage& state, Side side, std::int64_t r,
                                 const PairLayout& layout) {
  std::int32_t last = -1;
  for_pairs_of(
      state, side, r, [&](std::int32_t t) { last = t; }, layout);
  return last;
}

/// Writes the unit rows and norms of the pairs' users and of the columns' items to the workspace, which
/// has grown. With PartialSums, all columns of the batch's distinct rows are gathered for it.
void normalize_pairs(ThreadPool& pool, PartialSums* sums, TripletsStorage& state,
                     const MatrixView<float>& users, const MatrixView<float>& items,
                     const PairLayout& layout = {});

/// Takes a gradient of the unit row of distinct row r through the normalisation; with PartialSums, measures
/// it for project_pair_gradients(). pair: one that has the row.
void end_pair_gradient(const RowKernels& kernels, const PartialSums* sums, TripletsStorage& state,
                       std::size_t side, std::int64_t r, std::int32_t pair, float* gradient,
                       std::int64_t stride);

/// Writes the gradients of a side's distinct rows: the sum over their pairs or columns, zero for a row that
/// has none. add(t, to): to += the gradient with respect to the unit row of pair or column t. After those
/// of both sides, project_pair_gradients() must follow.
template <class Add>
void gather_pair_gradients(ThreadPool& pool, const PartialSums* sums, TripletsStorage& state,
                           Side side, const MatrixView<float>& gradients, const Add& add,
                           const PairLayout& layout = {}) {
  const RowKernels kernels = choose_row_kernels();
  const auto s = static_cast<std::size_t>(side);
  const std::vector<NodeId>& rows = state.occurrences[s].set->rows;
  const std::int64_t stride = gradients.stride;
  const auto count = static_cast<std::int64_t>(rows.size());
  parallel_for_blocks(pool, count, kRowBlock, [&](std::int64_t r) {
    float* to = gradients.row(rows[r]);
    std::fill_n(to, stride, 0.0F);
    std::int32_t last = -1;
    for_pairs_of(
        state, side, r,
        [&](std::int32_t t) {
          add(t, to);
          last = t;
        },
        layout);
    if (last >= 0) end_pair_gradient(kernels, sums, state, s, r, last, to, stride);
  });
}

/// With PartialSums, takes the gradients of both sides through the normalisation, of which all columns
/// decide. Without, they are there already.
void project_pair_gradients(ThreadPool& pool, PartialSums* sums, TripletsStorage& state,
                            const MatrixView<float>& grad_users,
                            const MatrixView<float>& grad_items, const PairLayout& layout = {});

}  // namespace tern::cpu
