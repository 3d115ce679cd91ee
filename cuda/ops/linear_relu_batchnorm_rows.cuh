#pragma once

// Shared by the kernels of linear_relu_batchnorm: the elements of a thread, the layer's value
// there, and sums over rows in one order.
//
// A block handles a stretch of rows and a tile of at most 32 vectors of their columns. `lanes`
// neighbouring threads share a row, 16 bytes each, and keep what belongs to a column for all rows.
// So the rows of a thread are a fixed distance apart, several of them under way at once.

#include <cuda_runtime.h>

#include "cuda/ops/linear_relu_batchnorm.hpp"
#include "cuda/support/vector.cuh"

namespace tern::cuda {
namespace {

/// 8 warps: 256 / lanes rows at once.
constexpr int kDenseThreads = 256;
/// Rows that a thread reads at once, from at most two matrices: with 16 warps on a multiprocessor
/// some 64 KiB are under way.
constexpr int kDenseAtOnce = 4;
/// A merging block has 32 columns and 32 groups of threads; each group sums a share of the parts.
constexpr int kMergeColumns = 32;
constexpr int kMergeGroups = 32;

/// Which elements a thread has: vector `place` of rows [begin, end), `step` apart.
struct DenseThread {
  int lane;      // among those that share a row
  int row_lane;  // which of the rows that the block reads at once
  int row_lanes;
  std::int64_t vectors;  // of a row
  std::int64_t place;
  std::int64_t begin;
  std::int64_t end;

  __device__ explicit DenseThread(const DenseRows& rows)
      : lane(static_cast<int>(threadIdx.x) % rows.lanes),
        row_lane(static_cast<int>(threadIdx.x) / rows.lanes),
        row_lanes(kDenseThreads / rows.lanes),
        vectors(rows.stride / kVector),
        place(static_cast<std::int64_t>(blockIdx.y) * rows.lanes + lane) {
    const std::int64_t offset = static_cast<std::int64_t>(blockIdx.x) * rows.stretch_rows;
    begin = rows.first + offset + row_lane;
    end = rows.first + min(offset + rows.stretch_rows, rows.count);
    if (place >= vectors) end = begin;  // beyond the row: only the barriers are left to this thread
  }
  /// A thread beyond the row must not read values of a column.
  __device__ bool has_column() const { return place < vectors; }
  __device__ std::int64_t at(std::int64_t row) const { return row * vectors + place; }
  /// This thread's vector of a row of constants; zero if there is none.
  __device__ float4 column(const float* values) const {
    return values == nullptr || !has_column() ? zero_vector() : as_vectors(values)[place];
  }
};

/// Calls f(row, count) for the thread's rows: count <= kDenseAtOnce of them from `row` on,
/// row_lanes apart.
template <typename Function>
__device__ inline void for_rows(const DenseThread& thread, Function&& f) {
  const std::int64_t step = static_cast<std::int64_t>(kDenseAtOnce) * thread.row_lanes;
  for (std::int64_t row = thread.begin; row < thread.end; row += step) {
    int count = 1;
#pragma unroll
    for (int u = 1; u < kDenseAtOnce; ++u) {
      count += row + static_cast<std::int64_t>(u) * thread.row_lanes < thread.end ? 1 : 0;
    }
    f(row, count);
  }
}

/// ReLU, which keeps NaN; or the value itself.
__device__ inline float activate(bool relu, float value) {
  return relu && value <= 0.0F ? 0.0F : value;
}
__device__ inline float4 activate(bool relu, float4 value) {
  return make_float4(activate(relu, value.x), activate(relu, value.y), activate(relu, value.z),
                     activate(relu, value.w));
}

/// a with its sign bit set if the inner ReLU is closed, even if a is NaN.
__device__ inline float with_mark(float a, float inner) {
  return inner <= 0.0F ? __uint_as_float(__float_as_uint(a) | 0x80000000u) : a;
}
__device__ inline float4 with_marks(float4 a, float4 inner) {
  return make_float4(with_mark(a.x, inner.x), with_mark(a.y, inner.y), with_mark(a.z, inner.z),
                     with_mark(a.w, inner.w));
}
__device__ inline bool is_marked(float saved) {
  return (__float_as_uint(saved) & 0x80000000u) != 0;
}
__device__ inline float without_mark(float saved) {
  return __uint_as_float(__float_as_uint(saved) & 0x7fffffffu);
}
__device__ inline float4 without_marks(float4 saved) {
  return make_float4(without_mark(saved.x), without_mark(saved.y), without_mark(saved.z),
                     without_mark(saved.w));
}

/// Reads the layer's values, DenseValues: keeps the part of a column, loads the part of a row.
template <DenseForm kForm>
class DenseReader {
 public:
  __device__ DenseReader(const DenseValues& values, const DenseThread& thread)
      : values_(values),
        thread_(thread),
        inner_bias_(thread.column(values.inner_bias)),
        outer_bias_(kForm == DenseForm::kSums ? thread.column(values.outer_bias) : zero_vector()) {}

  /// One row as it is in memory. Plain loads: a kernel may overwrite the matrix that it reads.
  struct Loaded {
    float4 inner;
    float4 outer;
  };
  __device__ Loaded load(std::int64_t row) const {
    Loaded loaded{zero_vector(), zero_vector()};
    if (values_.inner != nullptr) loaded.inner = as_vectors(values_.inner)[thread_.at(row)];
    if constexpr (kForm == DenseForm::kSums) {
      if (values_.outer != nullptr) loaded.outer = as_vectors(values_.outer)[thread_.at(row)];
    }
    return loaded;
  }

  struct Value {
    float4 a;
    float4 saved;  // a as DenseForm::kSaved has it
  };
  __device__ Value value(const Loaded& loaded) const {
    if constexpr (kForm == DenseForm::kSaved) {
      return {values_.relu ? without_marks(loaded.inner) : loaded.inner, loaded.inner};
    } else {
      const float4 inner = activate(values_.relu, add(loaded.inner, inner_bias_));
      if constexpr (kForm == DenseForm::kSum) {
        return {inner, inner};
      } else {
        const float4 a = activate(values_.relu, add(add(inner, loaded.outer), outer_bias_));
        return {a, values_.relu ? with_marks(a, inner) : a};
      }
    }
  }

 private:
  const DenseValues& values_;
  const DenseThread& thread_;
  float4 inner_bias_;
  float4 outer_bias_;
};

/// Adds two vectors over the block's rows by a tree; the threads of row lane 0 get the totals. All
/// threads take part.
__device__ inline void join_rows(const DenseThread& thread, float4& first, float4& second) {
  __shared__ float4 joined[2][kDenseThreads / 2];
  for (int half = thread.row_lanes / 2; half > 0; half /= 2) {
    const int size = half * (kDenseThreads / thread.row_lanes);
    const int index = static_cast<int>(threadIdx.x);
    if (index >= size && index < 2 * size) {
      joined[0][index - size] = first;
      joined[1][index - size] = second;
    }
    __syncthreads();
    if (index < size) {
      first = add(first, joined[0][index]);
      second = add(second, joined[1][index]);
    }
    __syncthreads();
  }
}

/// Stores two vectors of a block as those of its stretch, in partials (2, stretches, S).
__device__ inline void store_partials(const DenseThread& thread, const DenseRows& rows,
                                      float* partials, float4 first, float4 second) {
  if (thread.row_lane != 0 || !thread.has_column()) return;
  const std::int64_t at = static_cast<std::int64_t>(blockIdx.x) * thread.vectors + thread.place;
  as_vectors(partials)[at] = first;
  as_vectors(partials)[rows.stretches * thread.vectors + at] = second;
}

/// The parts [begin, end) of one column that this thread's group of a merging block sums; none if
/// the column is padding.
struct MergeThread {
  int group;
  std::int64_t column;
  std::int64_t begin;
  std::int64_t end;

  __device__ MergeThread(std::int64_t count, std::int64_t columns, std::int64_t cols,
                         std::int64_t stride)
      : group(static_cast<int>(threadIdx.x) / kMergeColumns),
        column(static_cast<std::int64_t>(blockIdx.x) * kMergeColumns +
               static_cast<int>(threadIdx.x) % kMergeColumns) {
    const std::int64_t size = (count + kMergeGroups - 1) / kMergeGroups;
    begin = min(group * size, count);
    end = column < columns && column % stride < cols ? min(begin + size, count) : begin;
  }
};

/// Joins the items of a merging block's groups, neighbours first; group 0 gets the result. All
/// threads take part. Item: an aggregate with merge(other), where the rows of `other` follow its
/// own.
template <typename Item>
__device__ inline Item join_groups_in_order(const MergeThread& thread, Item item) {
  __shared__ Item joined[kMergeGroups / 2][kMergeColumns];
  const int lane = static_cast<int>(threadIdx.x) % kMergeColumns;
  for (int distance = 1; distance < kMergeGroups; distance *= 2) {
    const bool gives = thread.group % (2 * distance) == distance;
    if (gives) joined[thread.group / (2 * distance)][lane] = item;
    __syncthreads();
    if (thread.group % (2 * distance) == 0) {
      item.merge(joined[thread.group / (2 * distance)][lane]);
    }
    __syncthreads();
  }
  return item;
}

/// One block a stretch and a tile of columns.
inline LaunchShape dense_shape(const DenseRows& rows) {
  return {.blocks = rows.stretches,
          .threads = kDenseThreads,
          .blocks_y = ceil_div(rows.stride / kVector, rows.lanes)};
}
inline LaunchShape merge_shape(std::int64_t columns, int blocks_y = 1) {
  return {.blocks = ceil_div(columns, kMergeColumns),
          .threads = kMergeColumns * kMergeGroups,
          .blocks_y = blocks_y};
}

}  // namespace
}  // namespace tern::cuda
