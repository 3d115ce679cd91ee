#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <limits>

#include "host/cpu/storage.hpp"
#include "host/cpu/table_products.hpp"
#include "host/cpu/unit_rows.hpp"
#include "host/support/parallel.hpp"

namespace tern::cpu {

// Losses over all pairs of two tables of unit rows. A thread takes a few rows of their products at a
// time: this strip, (rows, C), stays in its cache from the product to the exponents and on to the
// gradients, so that nothing is computed twice, and the B×C matrix never exists.

/// Between rows of a strip: a block more than the columns, since rows apart by a power of two would
/// share few sets of a cache.
inline std::int64_t strip_stride(std::int64_t columns) {
  return padded(columns) + kBlock;
}

inline std::int64_t panels_size(std::int64_t columns, std::int64_t stride) {
  return (columns + kPanel - 1) / kPanel * kPanel * stride;
}

/// The logits sharpness · left_t·right_j + bias_j of all rows t and columns j, of which there are at
/// least as many.
struct PairTables {
  const float* left = nullptr;   // (count, stride)
  const float* right = nullptr;  // (columns, stride)
  std::int64_t count = 0;
  std::int64_t columns = 0;
  std::int64_t stride = 0;
  /// The columns of left and right in which gradients are computed: all, or those that this backend has.
  const float* own_left = nullptr;   // (count, own_stride)
  const float* own_right = nullptr;  // (columns, own_stride)
  std::int64_t own_stride = 0;
  double sharpness = 1.0;
  const float* bias = nullptr;  // (padded(columns)); null: zeros
  float* panels = nullptr;      // panels_size(columns, stride): room for a packed copy of right

  std::int64_t strip_stride() const { return cpu::strip_stride(columns); }
};

/// A column of row t does not count if remove(t, logits) writes this to logits[j].
inline constexpr float kAbsent = -std::numeric_limits<float>::infinity();
using RemoveColumns = std::function<void(std::int64_t t, float* logits)>;

/// A row of exponents.
struct ExponentRow {
  float own = 0.0F;      // the logit of the row's own column t, without bias
  float largest = 0.0F;  // logit that counts; -inf without columns
  float sum = 0.0F;      // Σ exp(logit - largest)

  bool empty() const { return largest == kAbsent; }
};

/// Writes exp(logit - largest of the row) of rows [begin, begin + rows) to the strip. Calls
/// finish(t, row) for every row t, in order.
void exponentiate_strip(const PairTables& tables, std::int64_t begin, std::int64_t rows,
                        const RemoveColumns& remove, float* strip,
                        const std::function<void(std::int64_t, const ExponentRow&)>& finish);

/// to = strip · own_right, (rows, own_stride): a sum over columns for each row.
void sum_columns_of_strip(const PairTables& tables, std::int64_t rows, const float* strip,
                          float* to);

/// to = stripᵀ · factors, or that added to it, (columns, own_stride): a sum over rows for each column.
/// factors: (rows, own_stride).
void sum_rows_of_strip(const PairTables& tables, std::int64_t rows, const float* strip,
                       const float* factors, bool add, float* to);

/// Groups of rows, whose number depends on the number of rows alone: sums over rows are collected in
/// one part for each group, and the parts are added in order.
std::int64_t pair_groups(std::int64_t count);
std::int64_t max_strip_rows(std::int64_t count, std::int64_t columns);

/// A strip's rows [begin, begin + rows), the memory for them, and their group.
struct Strip {
  std::int64_t begin = 0;
  std::int64_t rows = 0;
  float* values = nullptr;
  std::int64_t group = 0;
  bool first = false;  // of its group
};

/// Packs right into its panels.
void pack_right(ThreadPool& pool, const PairTables& tables);

/// Calls body(strip) for every strip; those of a group in order. memory: for each thread
/// max_strip_rows() · strip_stride().
template <typename Body>
void for_strips(ThreadPool& pool, const PairTables& tables, float* memory, const Body& body) {
  const std::int64_t groups = pair_groups(tables.count);
  const std::int64_t rows = max_strip_rows(tables.count, tables.columns);
  pack_right(pool, tables);
  parallel_for_slots(pool, groups, [&](std::int64_t group, int slot) {
    const std::int64_t begin = group * tables.count / groups;
    const std::int64_t end = (group + 1) * tables.count / groups;
    float* values = memory + slot * rows * tables.strip_stride();
    for (std::int64_t t = begin; t < end; t += rows) {
      body(Strip{t, std::min(rows, end - t), values, group, t == begin});
    }
  });
}

}  // namespace tern::cpu
