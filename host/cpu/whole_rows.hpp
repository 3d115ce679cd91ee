#pragma once

#include <cstdint>
#include <span>

#include "host/backend/partial_sums.hpp"
#include "host/cpu/storage.hpp"
#include "host/cpu/unit_rows.hpp"
#include "host/support/parallel.hpp"

namespace tern::cpu {

// Losses over the pairs of a batch need its rows with all of their columns. A backend with a part of the
// columns gathers the rest of these rows, and computes gradients in its own columns.

/// The columns of a table that a backend has: all of them without PartialSums.
struct OwnColumns {
  std::int64_t first = 0;
  std::int64_t cols = 0;
  std::int64_t stride = 0;        // of a row of them
  std::int64_t whole_stride = 0;  // of a row of all columns
};
OwnColumns own_columns(const PartialSums* sums, const MatrixView<float>& table);

/// Own columns of the unit rows of a side, (rows, own stride); all columns without PartialSums.
inline const float* own_units(const PartialSums* sums, const PairWorkspace& work,
                              std::size_t side) {
  return (sums == nullptr ? work.units : work.own_units)[side].data();
}

/// Rows of a table.
struct SomeRows {
  MatrixView<float> table;
  std::span<const NodeId> nodes;
};

/// Fills work.whole with all columns of these rows, in their order.
void gather_whole_rows(ThreadPool& pool, PartialSums& sums, std::span<const SomeRows> rows,
                       PairWorkspace& work);

/// Makes room for own columns of unit rows of a side.
void grow_own_units(PairWorkspace& work, std::size_t side, std::int64_t rows,
                    const OwnColumns& own);
/// Row r of work.whole, normalised, becomes unit row t of the side, all columns and own ones.
void normalize_whole_row(const RowKernels& kernels, const OwnColumns& own, std::int64_t r,
                         std::size_t side, std::int64_t t, PairWorkspace& work);

}  // namespace tern::cpu
