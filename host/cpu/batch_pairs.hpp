#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "host/backend/pair_layout.hpp"
#include "host/cpu/backend.hpp"
#include "host/cpu/unit_rows.hpp"
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

/// Writes the unit rows and norms of the pairs' users and of the columns' items to the workspace.
void normalize_pairs(ThreadPool& pool, TripletsStorage& state, const MatrixView<float>& users,
                     const MatrixView<float>& items, const PairLayout& layout = {});

/// Writes the gradients of a side's distinct rows: the sum over their pairs or columns, taken through
/// the normalisation; zero for a row that has none. add(t, to): to += the gradient with respect to the
/// unit row of pair or column t.
template <class Add>
void gather_pair_gradients(ThreadPool& pool, const TripletsStorage& state, Side side,
                           const MatrixView<float>& gradients, const Add& add,
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
    if (last < 0) return;
    project(kernels, state.pairs.units[s].data() + last * stride, state.pairs.norms[s][last], to,
            stride);
  });
}

}  // namespace tern::cpu
