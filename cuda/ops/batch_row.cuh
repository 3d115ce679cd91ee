#pragma once

// Shared by the losses: gradients of a batch's distinct rows, and the sum of its terms. Blocks of
// kBatchRowThreads, in which `lanes` neighbouring threads share a row.

#include <cuda_runtime.h>

#include "cuda/support/batch.hpp"
#include "cuda/support/block.cuh"
#include "cuda/support/vector.cuh"
#include "tern/view.hpp"

namespace tern::cuda {
namespace {

constexpr int kBatchRowThreads = 256;
/// The most occurrences that a group of lanes sums alone: eight rounds of four gathers.
constexpr std::int32_t kManyOccurrences = 32;

/// A distinct row of the batch and its occurrences; row is -1 for an index beyond the last row.
struct BatchRow {
  int side = 0;
  std::int64_t row = -1;
  std::int32_t begin = 0;
  std::int32_t end = 0;

  __device__ bool many() const { return end - begin > kManyOccurrences; }
};

/// Row `index` of both sides, put end to end: users first, each side with room for its capacity.
__device__ inline BatchRow batch_row(const BatchView& batch, std::int64_t index) {
  BatchRow found;
  if (index >= batch.sides[0].capacity) {
    index -= batch.sides[0].capacity;
    found.side = 1;
  }
  const RowSpan span = batch.state->rows[found.side];
  if (index >= span.count) return found;
  const OccurrencesView& side = batch.sides[found.side];
  found.row = side.rows[span.begin + index];
  found.begin = side.starts[span.begin + index];
  found.end = side.starts[span.begin + index + 1];
  return found;
}

/// to = Σ over the row's occurrences, by the whole block: portions that depend on their number alone,
/// joined by a tree. sum_of(begin, end, place): the sum over occurrences [begin, end), of one vector.
/// The first `lanes` threads write, thread l the vectors l, l + lanes, ...
template <typename SumOf>
__device__ inline void sum_long_row(const BatchRow& row, int lanes, std::int64_t vectors,
                                    const SumOf& sum_of, float4* to) {
  __shared__ float4 joined[kBatchRowThreads / 2];
  const int groups = kBatchRowThreads / lanes;
  const int group = static_cast<int>(threadIdx.x) / lanes;
  const int lane = static_cast<int>(threadIdx.x) % lanes;
  const std::int32_t portion = (row.end - row.begin + groups - 1) / groups;
  const std::int32_t begin = min(row.begin + group * portion, row.end);
  const std::int32_t end = min(begin + portion, row.end);
  for (std::int64_t first = 0; first < vectors; first += lanes) {
    const std::int64_t place = first + lane;
    float4 sum = zero_vector();
    if (place < vectors) sum = sum_of(begin, end, place);
    for (int half = groups / 2; half > 0; half /= 2) {
      if (group >= half && group < 2 * half) joined[(group - half) * lanes + lane] = sum;
      __syncthreads();
      if (group < half) sum = add(sum, joined[group * lanes + lane]);
      __syncthreads();
    }
    if (group == 0 && place < vectors) to[place] = sum;
  }
}

/// The mean of the terms, by one block: threads sum terms kBatchRowThreads apart, then join in a fixed
/// order.
__device__ inline double mean_of_terms(const double* terms, std::int64_t count) {
  double sum = 0.0;
  for (std::int64_t t = threadIdx.x; t < count; t += kBatchRowThreads) sum += terms[t];
  return block_reduce<Sum>(sum) / static_cast<double>(count);
}

/// losses(0, batch) = mean of `count` terms, by one block.
__device__ inline void write_batch_loss(const BatchView& batch, const double* terms,
                                        std::int64_t count, const MatrixView<float>& losses) {
  const double mean = mean_of_terms(terms, count);
  if (threadIdx.x == 0) losses(0, batch.state->batch) = static_cast<float>(mean);
}

/// The same of a term for each triplet of the batch.
__device__ inline void write_batch_loss(const BatchView& batch, const double* terms,
                                        const MatrixView<float>& losses) {
  write_batch_loss(batch, terms, batch.state->count, losses);
}

/// Zeroes this thread's row of one side's gradient. Grid: (rows, sides).
__device__ inline void zero_batch_row(const BatchView& batch, const MatrixView<float>& gradient,
                                      int lanes) {
  const std::int64_t index = static_cast<std::int64_t>(blockIdx.x) * (kBatchRowThreads / lanes) +
                             static_cast<int>(threadIdx.x) / lanes;
  const RowSpan span = batch.state->rows[blockIdx.y];
  if (index >= span.count) return;
  float4* row = as_vectors(gradient.row(batch.sides[blockIdx.y].rows[span.begin + index]));
  for (std::int64_t v = static_cast<int>(threadIdx.x) % lanes; v < gradient.stride / kVector;
       v += lanes) {
    row[v] = zero_vector();
  }
}

}  // namespace
}  // namespace tern::cuda
