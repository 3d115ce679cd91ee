// sgd: one step of gradient descent with momentum over a table (N, D), or over some of its rows.
// Source: PyTorch's torch.optim.SGD with dampening 0.
//
//   v = momentum v + gradient + weight_decay · parameter;  parameter -= lr · v
//
// gradient, parameter, v: (N, D). Every element belongs to one thread: bitwise reproducible.
//
// One pass: 12·N·D bytes without momentum, 20·N·D with it; a few flops an element. One thread
// handles a vector of four elements. Gradient and velocity bypass the cache (evict-first), as in
// adam.cu.

#include "cuda/ops/sgd.hpp"

#include "cuda/backend.hpp"
#include "cuda/ops/fault.cuh"
#include "cuda/support/bf16.cuh"
#include "cuda/support/vector.cuh"
#include "host/backend/checks.hpp"

namespace tern::cuda {
namespace {

constexpr int kSgdThreads = 256;

/// Updates vector `at` of the table. The padding stays zero: its gradient is zero.
__device__ inline void sgd_vector(const SgdTask& task, std::int64_t at) {
  float4 p = as_vectors(task.parameter)[at];
  float4 v = fma(task.weight_decay, p, __ldcs(as_vectors(task.gradient) + at));
  if (task.velocity != nullptr) {
    v = fma(task.momentum, __ldcs(as_vectors(task.velocity) + at), v);
    __stcs(as_vectors(task.velocity) + at, v);
  }
  p = fma(-task.learning_rate, v, p);
  as_vectors(task.parameter)[at] = p;
  store_copy_at(task.copy, task.stride / kVector, at, p);
  // A velocity that is not finite makes the parameter not finite: no need to test it.
  if (!all_finite(p) && task.fault != nullptr) note_fault(task.fault, *task.step);
}

/// Every row, one thread a vector.
__global__ void __launch_bounds__(kSgdThreads)
    sgd_dense_kernel(const __grid_constant__ SgdTask task) {
  const std::int64_t at = static_cast<std::int64_t>(blockIdx.x) * kSgdThreads + threadIdx.x;
  if (at < task.rows * (task.stride / kVector)) sgd_vector(task, at);
}

/// The rows of a set, `lanes` threads a row.
__global__ void __launch_bounds__(kSgdThreads)
    sgd_rows_kernel(const __grid_constant__ SgdTask task, int lanes) {
  const int groups = kSgdThreads / lanes;
  const std::int64_t index =
      static_cast<std::int64_t>(blockIdx.x) * groups + static_cast<int>(threadIdx.x) / lanes;
  if (index >= task.only.span->count) return;
  const std::int64_t vectors = task.stride / kVector;
  const std::int64_t row = task.only.rows[task.only.span->begin + index];
  for (std::int64_t place = static_cast<int>(threadIdx.x) % lanes; place < vectors;
       place += lanes) {
    sgd_vector(task, row * vectors + place);
  }
}

}  // namespace

void launch_sgd(const Queue& queue, const SgdTask& task) {
  const Launcher launch(queue);
  const std::int64_t vectors = task.stride / kVector;
  const std::int64_t size = task.rows * vectors;
  if (size == 0) return;
  if (task.only.every()) {
    launch({.blocks = ceil_div(size, kSgdThreads), .threads = kSgdThreads}, sgd_dense_kernel, task);
    return;
  }
  const int lanes = lanes_for(vectors);
  launch({.blocks = ceil_div(task.only.capacity, kSgdThreads / lanes), .threads = kSgdThreads},
         sgd_rows_kernel, task, lanes);
}

void CudaBackend::sgd(const SgdOptions& options, const Counter& step, const Matrix& gradient,
                      Matrix& parameter, SgdState& state, const RowSet* rows, Counter* fault) {
  const Range range("sgd");
  check_sgd(options, step, gradient, parameter, state, rows, fault);
  const DeviceScope scope = use_device();
  const MatrixView<float> p = view(parameter);
  launch_sgd(queue(), {.learning_rate = finite_factor(options.learning_rate),
                       .momentum = static_cast<float>(options.momentum),
                       .weight_decay = finite_factor(options.weight_decay),
                       .gradient = view(gradient).data,
                       .parameter = p.data,
                       .copy = copy_view(parameter),
                       .velocity = options.momentum == 0.0 ? nullptr : view(state.velocity).data,
                       .rows = p.rows,
                       .stride = p.stride,
                       .only = row_view(rows),
                       .step = storage(step).value.data(),
                       .fault = counter_value(fault)});
  if (options.momentum != 0.0) refresh_copies({&state.velocity});
}

}  // namespace tern::cuda
