// linear_relu_batchnorm, forward, after the products: the statistics of the columns of a, then z.
//
// Statistics: a thread computes mean and squared deviations of four rows at a time and merges them
// into its own; a tree merges those of the block's threads, and a second kernel those of the
// stretches, in f64. Every merge follows the rule of Chan, Golub and LeVeque, so that a large mean
// swallows no small deviation. With two sums the pass writes a, which the backward pass needs; with
// one sum a is f(sum + bias), and computing it again is cheaper than writing and reading it.

#include <cmath>

#include "cuda/ops/linear_relu_batchnorm_rows.cuh"
#include "cuda/support/launch.hpp"

namespace tern::cuda {
namespace {

/// Mean and squared deviations of `count` rows of four columns.
struct VectorMoments {
  float count = 0.0F;
  float4 mean = {0.0F, 0.0F, 0.0F, 0.0F};
  float4 square = {0.0F, 0.0F, 0.0F, 0.0F};

  __device__ void merge(float other_count, float4 other_mean, float4 other_square) {
    if (other_count == 0.0F) return;
    const float total = count + other_count;
    const float share = other_count / total;
    const float4 delta = subtract(other_mean, mean);
    mean = fma(share, delta, mean);
    square = fma(count * share, multiply(delta, delta), add(square, other_square));
    count = total;
  }
};

/// Merges the moments of the block's row lanes by a tree; row lane 0 gets them.
__device__ inline void join_moments(const DenseThread& thread, VectorMoments& moments) {
  __shared__ float4 means[kDenseThreads / 2];
  __shared__ float4 squares[kDenseThreads / 2];
  __shared__ float counts[kDenseThreads / 2];
  const int index = static_cast<int>(threadIdx.x);
  for (int half = thread.row_lanes / 2; half > 0; half /= 2) {
    const int size = half * (kDenseThreads / thread.row_lanes);
    if (index >= size && index < 2 * size) {
      means[index - size] = moments.mean;
      squares[index - size] = moments.square;
      counts[index - size] = moments.count;
    }
    __syncthreads();
    if (index < size) moments.merge(counts[index], means[index], squares[index]);
    __syncthreads();
  }
}

/// One block a stretch and a tile of columns.
template <DenseForm kForm>
__global__ void __launch_bounds__(kDenseThreads)
    dense_statistics_kernel(const __grid_constant__ DenseStatisticsTask task) {
  const DenseThread thread(task.rows);
  const DenseReader<kForm> reader(task.values, thread);
  VectorMoments moments;
  for_rows(thread, [&](std::int64_t row, int count) {
    typename DenseReader<kForm>::Loaded loaded[kDenseAtOnce];
#pragma unroll
    for (int u = 0; u < kDenseAtOnce; ++u) {
      if (u < count) loaded[u] = reader.load(row + static_cast<std::int64_t>(u) * thread.row_lanes);
    }
    float4 a[kDenseAtOnce];
    float4 sum = zero_vector();
#pragma unroll
    for (int u = 0; u < kDenseAtOnce; ++u) {
      if (u >= count) continue;
      const auto value = reader.value(loaded[u]);
      a[u] = value.a;
      sum = add(sum, a[u]);
      if constexpr (kForm == DenseForm::kSums) {
        const std::int64_t r = row + static_cast<std::int64_t>(u) * thread.row_lanes;
        as_vectors(task.saved)[thread.at(r)] = value.saved;
      }
    }
    const float4 mean = scale(1.0F / static_cast<float>(count), sum);
    float4 square = zero_vector();
#pragma unroll
    for (int u = 0; u < kDenseAtOnce; ++u) {
      if (u >= count) continue;
      const float4 deviation = subtract(a[u], mean);
      square = fma(deviation, deviation, square);
    }
    moments.merge(static_cast<float>(count), mean, square);
  });
  join_moments(thread, moments);
  store_partials(thread, task.rows, task.partials, moments.mean, moments.square);
}

/// Mean and squared deviations of a column over some stretches.
struct ColumnMoments {
  double count;
  double mean;
  double square;

  __device__ void merge(const ColumnMoments& other) {
    if (other.count == 0.0) return;
    const double share = other.count / (count + other.count);
    const double delta = other.mean - mean;
    mean = ::fma(share, delta, mean);
    square += other.square + delta * delta * (count * share);
    count += other.count;
  }
};

/// 1 / sqrt(variance + ε).
__device__ inline float inverse_deviation(double variance, double epsilon) {
  return static_cast<float>(1.0 / sqrt(variance + epsilon));
}

/// Merges the stretches; 32 columns a block.
__global__ void __launch_bounds__(kMergeColumns* kMergeGroups)
    dense_statistics_merge_kernel(const __grid_constant__ DenseStatisticsTask task) {
  const DenseRows& rows = task.rows;
  const MergeThread thread(rows.stretches, rows.stride, task.cols, rows.stride);
  const std::int64_t c = thread.column;
  const float* means = task.partials;
  const float* squares = task.partials + rows.stretches * rows.stride;
  ColumnMoments moments{0.0, 0.0, 0.0};
#pragma unroll 2
  for (std::int64_t s = thread.begin; s < thread.end; ++s) {
    const std::int64_t size = min(rows.stretch_rows, rows.count - s * rows.stretch_rows);
    moments.merge(
        {static_cast<double>(size), means[s * rows.stride + c], squares[s * rows.stride + c]});
  }
  moments = join_groups_in_order(thread, moments);
  if (thread.group != 0 || c >= task.cols) return;
  const auto n = static_cast<double>(rows.count);
  task.mean[c] = static_cast<float>(moments.mean);
  task.inverse_deviation[c] = inverse_deviation(moments.square / n, task.epsilon);
  const double running_mean = task.running_mean[c];
  const double running_variance = task.running_variance[c];
  task.running_mean[c] =
      static_cast<float>(running_mean + task.momentum * (moments.mean - running_mean));
  task.running_variance[c] = static_cast<float>(
      running_variance + task.momentum * (moments.square / (n - 1.0) - running_variance));
}

/// One thread a column.
__global__ void __launch_bounds__(kDenseThreads)
    dense_running_kernel(const __grid_constant__ DenseRunningTask task) {
  const std::int64_t c = static_cast<std::int64_t>(blockIdx.x) * kDenseThreads + threadIdx.x;
  if (c >= task.cols) return;
  task.mean[c] = task.running_mean[c];
  task.inverse_deviation[c] = inverse_deviation(task.running_variance[c], task.epsilon);
}

/// One block a stretch and a tile of columns.
template <DenseForm kForm, bool kNormalized>
__global__ void __launch_bounds__(kDenseThreads)
    dense_output_kernel(const __grid_constant__ DenseOutputTask task) {
  const DenseThread thread(task.rows);
  const DenseReader<kForm> reader(task.values, thread);
  const float4 mean = thread.column(task.norm.mean);
  const float4 shift = thread.column(task.norm.shift);
  const float4 factor =
      multiply(thread.column(task.norm.scale), thread.column(task.norm.inverse_deviation));
  for_rows(thread, [&](std::int64_t row, int count) {
    typename DenseReader<kForm>::Loaded loaded[kDenseAtOnce];
#pragma unroll
    for (int u = 0; u < kDenseAtOnce; ++u) {
      if (u < count) loaded[u] = reader.load(row + static_cast<std::int64_t>(u) * thread.row_lanes);
    }
#pragma unroll
    for (int u = 0; u < kDenseAtOnce; ++u) {
      if (u >= count) continue;
      const std::int64_t at = thread.at(row + static_cast<std::int64_t>(u) * thread.row_lanes);
      const auto value = reader.value(loaded[u]);
      if constexpr (kForm == DenseForm::kSums) {
        if (task.saved != nullptr) as_vectors(task.saved)[at] = value.saved;
      }
      as_vectors(task.z)[at] = kNormalized ? fma(factor, subtract(value.a, mean), shift) : value.a;
    }
  });
}

template <DenseForm kForm>
void launch_output(const Launcher& launch, const DenseOutputTask& task) {
  if (task.norm.mean == nullptr) {
    launch(dense_shape(task.rows), dense_output_kernel<kForm, false>, task);
  } else {
    launch(dense_shape(task.rows), dense_output_kernel<kForm, true>, task);
  }
}

}  // namespace

void launch_dense_statistics(const Queue& queue, const DenseStatisticsTask& task) {
  const Launcher launch(queue);
  if (task.values.form == DenseForm::kSum) {
    launch(dense_shape(task.rows), dense_statistics_kernel<DenseForm::kSum>, task);
  } else {
    launch(dense_shape(task.rows), dense_statistics_kernel<DenseForm::kSums>, task);
  }
  launch(merge_shape(task.cols), dense_statistics_merge_kernel, task);
}

void launch_dense_running(const Queue& queue, const DenseRunningTask& task) {
  const Launcher launch(queue);
  launch({.blocks = ceil_div(task.cols, kDenseThreads), .threads = kDenseThreads},
         dense_running_kernel, task);
}

void launch_dense_output(const Queue& queue, const DenseOutputTask& task) {
  const Launcher launch(queue);
  switch (task.values.form) {
    case DenseForm::kSum:
      return launch_output<DenseForm::kSum>(launch, task);
    case DenseForm::kSums:
      return launch_output<DenseForm::kSums>(launch, task);
    case DenseForm::kSaved:
      return launch_output<DenseForm::kSaved>(launch, task);
  }
}

}  // namespace tern::cuda
