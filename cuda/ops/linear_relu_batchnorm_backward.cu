// linear_relu_batchnorm_backward, up to its products: the gradients of the layer's sums, and of all
// parameters that have one value a column.
//
// With normalisation two passes: Σ grad_z and Σ grad_z ⊙ x̂, then the gradients of both sums at
// once, masked where a ReLU was closed. The second pass also sums these by column, so that the
// gradient of a bias needs neither a pass of its own nor an epilogue. Without normalisation only
// the second.

#include "cuda/ops/linear_relu_batchnorm_rows.cuh"
#include "cuda/support/launch.hpp"

namespace tern::cuda {
namespace {

/// Σ grad_z and Σ grad_z ⊙ x̂ of a stretch. One block a stretch and a tile of columns.
template <DenseForm kForm>
__global__ void __launch_bounds__(kDenseThreads)
    dense_gradient_sums_kernel(const __grid_constant__ DenseGradientTask task) {
  const DenseThread thread(task.rows);
  const DenseReader<kForm> reader(task.values, thread);
  const float4 mean = thread.column(task.norm.mean);
  float4 sum = zero_vector();
  float4 product = zero_vector();  // Σ grad_z ⊙ (a - mean)
  for_rows(thread, [&](std::int64_t row, int count) {
    typename DenseReader<kForm>::Loaded loaded[kDenseAtOnce];
    float4 grad_z[kDenseAtOnce];
#pragma unroll
    for (int u = 0; u < kDenseAtOnce; ++u) {
      if (u >= count) continue;
      const std::int64_t r = row + static_cast<std::int64_t>(u) * thread.row_lanes;
      loaded[u] = reader.load(r);
      grad_z[u] = as_vectors(task.grad_z)[thread.at(r)];
    }
#pragma unroll
    for (int u = 0; u < kDenseAtOnce; ++u) {
      if (u >= count) continue;
      sum = add(sum, grad_z[u]);
      product = fma(grad_z[u], subtract(reader.value(loaded[u]).a, mean), product);
    }
  });
  join_rows(thread, sum, product);
  store_partials(thread, task.rows, task.partials, sum,
                 multiply(product, thread.column(task.norm.inverse_deviation)));
}

/// A sum over some of the parts.
struct PartialSum {
  double value;
  __device__ void merge(const PartialSum& other) { value += other.value; }
};

/// 32 elements a block; grid.y: halves.
__global__ void __launch_bounds__(kMergeColumns* kMergeGroups)
    dense_merge_kernel(const __grid_constant__ DenseMergeTask task) {
  float* out = blockIdx.y == 0 ? task.out[0] : task.out[1];
  if (out == nullptr) return;
  const MergeThread thread(task.parts, task.size, task.cols, task.stride);
  const float* partials = task.partials + blockIdx.y * task.parts * task.step;
  PartialSum sum{0.0};
#pragma unroll 4
  for (std::int64_t p = thread.begin; p < thread.end; ++p) {
    sum.value += partials[p * task.step + thread.column];
  }
  sum = join_groups_in_order(thread, sum);
  if (thread.group != 0 || thread.column >= task.size) return;
  out[thread.column] = static_cast<float>(sum.value);  // padding: a sum of nothing
}

/// ∂a = γ / sqrt(variance + ε) (grad_z - ∂β/N - x̂ ⊙ ∂γ/N), multiplied out. The subtracted terms
/// are nearly constant in a column: subtracted from grad_z, they would be rounded alike in every
/// row.
struct NormGradient {
  float4 mean;
  float4 factor;  // of grad_z
  float4 slope;   // of a - mean
  float4 offset;

  NormGradient() = default;
  __device__ NormGradient(const DenseGradientTask& task, const DenseThread& thread) {
    const float per_row = -1.0F / static_cast<float>(task.rows.count);
    const float4 inverse = thread.column(task.norm.inverse_deviation);
    mean = thread.column(task.norm.mean);
    factor = multiply(thread.column(task.norm.scale), inverse);
    offset = scale(per_row, multiply(factor, thread.column(task.grad_shift)));
    slope = scale(per_row, multiply(multiply(factor, inverse), thread.column(task.grad_scale)));
  }
  __device__ float4 operator()(float4 grad_z, float4 a) const {
    return fma(factor, grad_z, fma(slope, subtract(a, mean), offset));
  }
};

/// The gradient where the ReLU was open, else 0; where a is NaN it is kept.
__device__ inline float4 masked(float4 gradient, float4 a) {
  return make_float4(a.x <= 0.0F ? 0.0F : gradient.x, a.y <= 0.0F ? 0.0F : gradient.y,
                     a.z <= 0.0F ? 0.0F : gradient.z, a.w <= 0.0F ? 0.0F : gradient.w);
}
__device__ inline float4 masked_by_marks(float4 gradient, float4 saved) {
  return make_float4(is_marked(saved.x) ? 0.0F : gradient.x, is_marked(saved.y) ? 0.0F : gradient.y,
                     is_marked(saved.z) ? 0.0F : gradient.z,
                     is_marked(saved.w) ? 0.0F : gradient.w);
}

/// ∂outer and ∂inner, and their column sums. One block a stretch and a tile of columns.
template <DenseForm kForm, bool kNormalized>
__global__ void __launch_bounds__(kDenseThreads)
    dense_gradient_kernel(const __grid_constant__ DenseGradientTask task) {
  const DenseThread thread(task.rows);
  const DenseReader<kForm> reader(task.values, thread);
  const NormGradient norm = kNormalized ? NormGradient(task, thread) : NormGradient{};
  const bool reads_a = kNormalized || task.values.relu;
  float4 inner_sum = zero_vector();
  float4 outer_sum = zero_vector();
  for_rows(thread, [&](std::int64_t row, int count) {
    typename DenseReader<kForm>::Loaded loaded[kDenseAtOnce];
    float4 grad_z[kDenseAtOnce];
#pragma unroll
    for (int u = 0; u < kDenseAtOnce; ++u) {
      if (u >= count) continue;
      const std::int64_t r = row + static_cast<std::int64_t>(u) * thread.row_lanes;
      if (reads_a) loaded[u] = reader.load(r);
      grad_z[u] = as_vectors(task.grad_z)[thread.at(r)];
    }
#pragma unroll
    for (int u = 0; u < kDenseAtOnce; ++u) {
      if (u >= count) continue;
      const std::int64_t at = thread.at(row + static_cast<std::int64_t>(u) * thread.row_lanes);
      float4 outer = grad_z[u];
      float4 inner = outer;
      if (reads_a) {
        const auto value = reader.value(loaded[u]);
        if constexpr (kNormalized) outer = norm(outer, value.a);
        if (task.values.relu) outer = masked(outer, value.a);
        inner = outer;
        if constexpr (kForm == DenseForm::kSaved) {
          if (task.values.relu) inner = masked_by_marks(outer, value.saved);
        }
      }
      if (task.grad_outer != nullptr) as_vectors(task.grad_outer)[at] = outer;
      if (task.grad_inner != nullptr) as_vectors(task.grad_inner)[at] = inner;
      outer_sum = add(outer_sum, outer);
      inner_sum = add(inner_sum, inner);
    }
  });
  if (task.grad_inner_bias == nullptr && task.grad_outer_bias == nullptr) return;
  join_rows(thread, inner_sum, outer_sum);
  store_partials(thread, task.rows, task.partials, inner_sum, outer_sum);
}

/// Merges the two sums over rows that a kernel left in the workspace.
void merge_rows(const Queue& queue, const DenseGradientTask& task, float* first, float* second) {
  launch_dense_merge(queue, {.partials = task.partials,
                             .parts = task.rows.stretches,
                             .step = task.rows.stride,
                             .size = task.rows.stride,
                             .cols = task.cols,
                             .stride = task.rows.stride,
                             .halves = 2,
                             .out = {first, second}});
}

template <DenseForm kForm>
void launch_gradient(const Queue& queue, const DenseGradientTask& task) {
  const Launcher launch(queue);
  const LaunchShape shape = dense_shape(task.rows);
  const bool normalized = task.norm.mean != nullptr;
  if (normalized) {
    launch(shape, dense_gradient_sums_kernel<kForm>, task);
    merge_rows(queue, task, task.grad_shift, task.grad_scale);
  }
  const bool biases = task.grad_inner_bias != nullptr || task.grad_outer_bias != nullptr;
  if (!biases && task.grad_inner == nullptr && task.grad_outer == nullptr) return;
  if (normalized) {
    launch(shape, dense_gradient_kernel<kForm, true>, task);
  } else {
    launch(shape, dense_gradient_kernel<kForm, false>, task);
  }
  if (biases) merge_rows(queue, task, task.grad_inner_bias, task.grad_outer_bias);
}

}  // namespace

void launch_dense_merge(const Queue& queue, const DenseMergeTask& task) {
  const Launcher launch(queue);
  launch(merge_shape(task.size, task.halves), dense_merge_kernel, task);
}

void launch_dense_gradient(const Queue& queue, const DenseGradientTask& task) {
  if (task.values.form == DenseForm::kSaved) {
    launch_gradient<DenseForm::kSaved>(queue, task);
  } else {
    launch_gradient<DenseForm::kSum>(queue, task);
  }
}

}  // namespace tern::cuda
