// normalize_rows: rows of length 1, and the gradient of the rows that they were made of.
// Source: PyTorch's torch.nn.functional.normalize; Lee, Kim and Shin 2024 (LightGCN++).
//
//   y = x / max(‖x‖, 1e-12);  sum = kept · sum + weight · x
//   grad_x = (grad_y - x̂ (x̂·grad_y)) / ‖x‖ + weight · addend
//
// x, y, grad_x, grad_y: (N, D). A group of lanes handles a row and joins its sums, in f64, in an order
// that depends on D alone: bitwise reproducible.
//
// 8·N·D bytes forward, 8 or 12 more an element of the sum's rows; 12·N·D backward, 4 more an element of
// the addend's. A lane keeps its first vector of each matrix in registers; rows of more than 128
// elements read the others twice, the second time from the cache.

#include "cuda/ops/normalize_rows.hpp"

#include "cuda/backend.hpp"
#include "cuda/ops/unit_rows.cuh"
#include "cuda/support/group.cuh"
#include "cuda/support/lanes.hpp"
#include "cuda/support/vector.cuh"
#include "host/backend/checks.hpp"

namespace tern::cuda {
namespace {

constexpr int kNormalizeThreads = 256;

/// This thread's row, one group of `lanes` a row.
__device__ inline std::int64_t row_of_group(std::int64_t first_row, int lanes) {
  return first_row + static_cast<std::int64_t>(blockIdx.x) * (kNormalizeThreads / lanes) +
         static_cast<int>(threadIdx.x) / lanes;
}

template <int kLanes>
__global__ void __launch_bounds__(kNormalizeThreads)
    normalize_rows_kernel(const __grid_constant__ NormalizeTask task) {
  const LaneGroup<kLanes> group;
  const std::int64_t row = row_of_group(task.first_row, kLanes);
  if (row >= task.x.rows) return;
  const std::int64_t vectors = task.x.stride / kVector;
  const float4* x = as_vectors(task.x.data) + row * vectors;
  float4 first = zero_vector();
  double square = 0.0;
  for (std::int64_t v = group.lane; v < vectors; v += kLanes) {
    const float4 value = __ldg(x + v);
    if (v == group.lane) first = value;
    square = dot(value, value, square);
  }
  const double factor = 1.0 / divisor_of(sqrt(group.sum(square)));
  const bool adds = task.sum != nullptr && (task.summed == nullptr || task.summed[row] != 0);
  float4* y = as_vectors(task.y) + row * vectors;
  float4* sum = as_vectors(task.sum) + row * vectors;
  for (std::int64_t v = group.lane; v < vectors; v += kLanes) {
    const float4 value = v == group.lane ? first : __ldg(x + v);
    y[v] = scale_f64(factor, value);
    if (!adds) continue;
    sum[v] = task.kept == 0.0F ? scale(task.weight, value) : fma(task.weight, value, sum[v]);
  }
}

/// The gradients of a lane's own vectors are read before they are written: grad_x may be grad_y.
template <int kLanes>
__global__ void __launch_bounds__(kNormalizeThreads)
    normalize_rows_backward_kernel(const __grid_constant__ NormalizeBackwardTask task) {
  const LaneGroup<kLanes> group;
  const std::int64_t row = row_of_group(task.first_row, kLanes);
  if (row >= task.x.rows) return;
  const std::int64_t vectors = task.x.stride / kVector;
  const float4* x = as_vectors(task.x.data) + row * vectors;
  const float4* given = as_vectors(task.grad_y) + row * vectors;
  float4 first = zero_vector();
  float4 first_given = zero_vector();
  double square = 0.0;
  double along = 0.0;
  for (std::int64_t v = group.lane; v < vectors; v += kLanes) {
    const float4 value = __ldg(x + v);
    const float4 gradient = given[v];
    if (v == group.lane) {
      first = value;
      first_given = gradient;
    }
    square = dot(value, value, square);
    along = dot(value, gradient, along);
  }
  const double norm = sqrt(group.sum(square));
  const double factor = 1.0 / divisor_of(norm);
  // x̂·grad_y / ‖x‖, the weight of x; below the smallest norm the divisor is a constant.
  const double total = group.sum(along);
  const auto pull = static_cast<float>(norm <= kSmallestNorm ? 0.0 : -total * factor * factor);
  const bool adds = task.addend != nullptr && (task.added == nullptr || task.added[row] != 0);
  const float4* addend = as_vectors(task.addend) + row * vectors;
  float4* out = as_vectors(task.grad_x) + row * vectors;
  for (std::int64_t v = group.lane; v < vectors; v += kLanes) {
    const bool again = v != group.lane;
    const float4 value = again ? __ldg(x + v) : first;
    const float4 gradient = again ? given[v] : first_given;
    float4 result = scale_f64(factor, fma(pull, value, gradient));
    if (adds) result = fma(task.weight, __ldg(addend + v), result);
    out[v] = result;
  }
}

/// The blocks that rows [first_row, x.rows) take, and the lanes a row.
template <typename Task, typename Launch>
void with_rows(const Task& task, const Launch& launch_with) {
  const std::int64_t rows = task.x.rows - task.first_row;
  const std::int64_t vectors = task.x.stride / kVector;
  if (rows == 0 || vectors == 0) return;
  with_lanes(vectors, [&](auto width) {
    launch_with(width,
                LaunchShape{.blocks = ceil_div(rows, kNormalizeThreads / decltype(width)::value),
                            .threads = kNormalizeThreads});
  });
}

}  // namespace

void launch_normalize_rows(const Queue& queue, const NormalizeTask& task) {
  const Launcher launch(queue);
  with_rows(task, [&](auto width, const LaunchShape& shape) {
    launch(shape, normalize_rows_kernel<decltype(width)::value>, task);
  });
}

void launch_normalize_rows_backward(const Queue& queue, const NormalizeBackwardTask& task) {
  const Launcher launch(queue);
  with_rows(task, [&](auto width, const LaunchShape& shape) {
    launch(shape, normalize_rows_backward_kernel<decltype(width)::value>, task);
  });
}

void CudaBackend::normalize_rows(const Matrix& x, Matrix& y, const RowSum& sum) {
  const Range range("normalize_rows");
  check_normalize_rows(x, y, sum);
  expect_all_columns("normalize_rows");
  const DeviceScope scope = use_device();
  NormalizeTask task{.x = read_only_view(x), .y = view(y).data};
  if (sum.sum != nullptr) {
    task.sum = view(*sum.sum).data;
    task.weight = finite_factor(sum.weight);
    task.kept = sum.begin == RowSum::Begin::kAtZero ? 0.0F : 1.0F;
    task.summed = row_view(sum.rows).marks;
  }
  launch_normalize_rows(queue(), task);
  refresh_copies({&y, sum.sum});
}

void CudaBackend::normalize_rows_backward(const Matrix& x, const Matrix& grad_y, Matrix& grad_x,
                                          const RowAddend& addend) {
  const Range range("normalize_rows_backward");
  check_normalize_rows_backward(x, grad_y, grad_x, addend);
  expect_all_columns("normalize_rows_backward");
  const DeviceScope scope = use_device();
  NormalizeBackwardTask task{
      .x = read_only_view(x), .grad_y = view(grad_y).data, .grad_x = view(grad_x).data};
  if (addend.matrix != nullptr) {
    task.addend = view(*addend.matrix).data;
    task.weight = finite_factor(addend.weight);
    task.added = row_view(addend.rows).marks;
  }
  launch_normalize_rows_backward(queue(), task);
  refresh_copies({&grad_x});
}

}  // namespace tern::cuda
