// adam: one step of Adam over a table (N, D), or over some of its rows. Source: Kingma and Ba 2015.
//
//   g = gradient + weight_decay · parameter
//   m = β1 m + (1-β1) g;  v = β2 v + (1-β2) g²
//   parameter -= lr / (1-β1ᵗ) · m / (sqrt(v / (1-β2ᵗ)) + ε)
//
// gradient, parameter, m and v: (N, D). Every element belongs to one thread: bitwise reproducible.
//
// One pass reads gradient, parameter and both moments, and writes parameter and moments: 28·N·D
// bytes, a dozen flops an element. One thread handles a vector of four elements and has four
// 16-byte loads under way. Gradient and moments are not needed again before the next step, so they
// bypass the cache (evict-first) and leave it to the parameter, which the next propagation gathers; or
// gathers from its bf16 copy, which is written along.
// The step number is in device memory, so that a recorded step can be replayed; one thread of each
// block computes the two bias corrections in f64, from powers that increment has left beside the
// step number. If they are of another step or other betas, it computes them: the same bits.
//
// In a recorded step the propagation that computes a gradient may make the step itself (adam_step.cuh).
//
// adam_catch_up: the steps that rows have missed, with gradient 0, in registers: 24 bytes an element
// for up to 256 steps. The threads of a block compute the corrections of as many steps at a time,
// from the oldest that one of its rows has missed.

#include "cuda/ops/adam.hpp"

#include "cuda/backend.hpp"
#include "cuda/ops/adam_step.cuh"
#include "cuda/ops/fault.cuh"
#include "cuda/support/bf16.cuh"
#include "cuda/support/vector.cuh"
#include "host/backend/checks.hpp"

namespace tern::cuda {
namespace {

constexpr int kAdamThreads = 256;
/// Blocks that a multiprocessor holds at once, at 48 registers a thread. A grid of one such wave
/// computes the corrections a few hundred times instead of once for every kilobyte.
constexpr int kAdamBlocks = 5;
/// The same of the catch-up, whose loop over steps needs up to 64 registers a thread: arithmetic bounds
/// it, not latency.
constexpr int kCatchUpBlocks = 4;

/// Updates vector `at` of the table; `place` is its index within its row.
__device__ inline void adam_vector(const AdamTask& task, const AdamCoefficients& c, std::int64_t at,
                                   std::int64_t place) {
  const float4 g = __ldcs(as_vectors(task.gradient) + at);
  adam_vector(task, c, at, place, g, as_vectors(task.parameter)[at]);
}

/// Every row, vector by vector; the grid strides over the table.
__global__ void __launch_bounds__(kAdamThreads, kAdamBlocks)
    adam_dense_kernel(const __grid_constant__ AdamTask task) {
  __shared__ AdamCoefficients coefficients;
  if (threadIdx.x == 0) coefficients = adam_coefficients(task);
  __syncthreads();
  const AdamCoefficients c = coefficients;
  const std::int64_t vectors = task.stride / kVector;
  const std::int64_t size = task.rows * vectors;
  const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * kAdamThreads;
  const bool padded = task.cols != task.stride;
  for (std::int64_t at = static_cast<std::int64_t>(blockIdx.x) * kAdamThreads + threadIdx.x;
       at < size; at += step) {
    adam_vector(task, c, at, padded ? at % vectors : 0);
  }
}

/// The rows of a set, `lanes` threads a row.
__global__ void __launch_bounds__(kAdamThreads, kAdamBlocks)
    adam_rows_kernel(const __grid_constant__ AdamTask task, int lanes) {
  __shared__ AdamCoefficients coefficients;
  if (threadIdx.x == 0) coefficients = adam_coefficients(task);
  __syncthreads();
  const AdamCoefficients c = coefficients;
  const int groups = kAdamThreads / lanes;
  const std::int64_t index =
      static_cast<std::int64_t>(blockIdx.x) * groups + static_cast<int>(threadIdx.x) / lanes;
  if (index >= task.only.span->count) return;
  const std::int64_t vectors = task.stride / kVector;
  const std::int64_t row = task.only.rows[task.only.span->begin + index];
  const int lane = static_cast<int>(threadIdx.x) % lanes;
  for (std::int64_t place = lane; place < vectors; place += lanes) {
    adam_vector(task, c, row * vectors + place, place);
  }
  if (lane == 0) task.row_steps[row] = step_of(task);
}

/// Steps begin + 1 .. end of vector `at`, with gradient 0; corrections of these steps in turn.
__device__ inline void adam_skipped_steps(const AdamTask& task, const AdamCoefficients* corrections,
                                          std::int64_t begin, std::int64_t end, std::int64_t at,
                                          std::int64_t place) {
  float4 m = as_vectors(task.first_moment)[at];
  float4 v = as_vectors(task.second_moment)[at];
  float4 p = as_vectors(task.parameter)[at];
  std::int64_t fault = 0;
  for (std::int64_t t = begin + 1; t <= end; ++t) {
    adam_elements(task, corrections[t - begin - 1], task.cols - place * kVector, zero_vector(), p,
                  m, v);
    if (fault == 0 && !(all_finite(p) && all_finite(v))) fault = t;
  }
  as_vectors(task.first_moment)[at] = m;
  as_vectors(task.second_moment)[at] = v;
  as_vectors(task.parameter)[at] = p;
  store_copy_at(task.copy, task.stride / kVector, at, p);
  if (fault != 0 && task.fault != nullptr) note_earlier_fault(task.fault, fault);
}

/// The missed steps of the rows of a set, or of every row; `lanes` threads a row.
__global__ void __launch_bounds__(kAdamThreads, kCatchUpBlocks)
    adam_catch_up_kernel(const __grid_constant__ AdamTask task, int lanes) {
  __shared__ AdamCoefficients corrections[kAdamThreads];
  __shared__ long long oldest;
  const auto thread = static_cast<int>(threadIdx.x);
  const std::int64_t index =
      static_cast<std::int64_t>(blockIdx.x) * (kAdamThreads / lanes) + thread / lanes;
  const bool every = task.only.rows == nullptr;
  const std::int64_t count = every ? task.rows : task.only.span->count;
  const std::int64_t end = *task.step;
  std::int64_t row = index;
  if (!every && index < count) row = task.only.rows[task.only.span->begin + index];
  const std::int64_t begin = index < count ? task.row_steps[row] : end;
  if (thread == 0) oldest = end;
  __syncthreads();
  if (thread % lanes == 0) atomicMin(&oldest, static_cast<long long>(begin));
  __syncthreads();
  const std::int64_t vectors = task.stride / kVector;
  for (std::int64_t chunk = oldest; chunk < end; chunk += kAdamThreads) {
    if (chunk + thread < end) {
      const auto t = static_cast<double>(chunk + thread + 1);
      corrections[thread] = adam_coefficients(task, pow(task.beta1, t), pow(task.beta2, t));
    }
    __syncthreads();
    const std::int64_t from = begin > chunk ? begin : chunk;
    const std::int64_t to = end < chunk + kAdamThreads ? end : chunk + kAdamThreads;
    for (std::int64_t place = thread % lanes; from < to && place < vectors; place += lanes) {
      adam_skipped_steps(task, corrections + (from - chunk), from, to, row * vectors + place,
                         place);
    }
    __syncthreads();
  }
  if (begin < end && thread % lanes == 0) task.row_steps[row] = end;
}

/// From now on increment computes the powers of these betas; those of this step and the next follow too.
__global__ void adam_betas_kernel(const std::int64_t* step, double beta1, double beta2,
                                  StepDecay* decay) {
  const auto t = static_cast<double>(*step);
  *decay = {
      *step, beta1, beta2, pow(beta1, t), pow(beta2, t), pow(beta1, t + 1), pow(beta2, t + 1)};
}

}  // namespace

void launch_adam(const Queue& queue, const AdamTask& task) {
  const Launcher launch(queue);
  const std::int64_t vectors = task.stride / kVector;
  const std::int64_t size = task.rows * vectors;
  if (size == 0) return;
  if (task.only.every()) {
    const std::int64_t wave = static_cast<std::int64_t>(queue.multiprocessors) * kAdamBlocks;
    const std::int64_t blocks = ceil_div(size, kAdamThreads);
    launch({.blocks = blocks < wave ? blocks : wave, .threads = kAdamThreads}, adam_dense_kernel,
           task);
    return;
  }
  const int lanes = lanes_for(vectors);
  launch({.blocks = ceil_div(task.only.capacity, kAdamThreads / lanes), .threads = kAdamThreads},
         adam_rows_kernel, task, lanes);
}

void launch_adam_catch_up(const Queue& queue, const AdamTask& task) {
  const Launcher launch(queue);
  const std::int64_t vectors = task.stride / kVector;
  if (task.rows * vectors == 0) return;
  const int lanes = lanes_for(vectors);
  const std::int64_t rows = task.only.every() ? task.rows : task.only.capacity;
  launch({.blocks = ceil_div(rows, kAdamThreads / lanes), .threads = kAdamThreads},
         adam_catch_up_kernel, task, lanes);
}

namespace {

/// The task of both ops, without a gradient.
AdamTask adam_task(const AdamOptions& options, const CounterStorage& steps, const Matrix& parameter,
                   const AdamState& state, const RowSet* rows, const Counter* fault) {
  const MatrixView<float> p = view(parameter);
  return {.learning_rate = options.learning_rate,
          .beta1 = options.beta1,
          .beta2 = options.beta2,
          .epsilon = static_cast<float>(options.epsilon),
          .weight_decay = static_cast<float>(options.weight_decay),
          .step = steps.value.data(),
          .decay = steps.decay.data(),
          .parameter = p.data,
          .copy = copy_view(parameter),
          .first_moment = view(state.first_moment).data,
          .second_moment = view(state.second_moment).data,
          .rows = p.rows,
          .cols = p.cols,
          .stride = p.stride,
          .only = row_view(rows),
          .fault = counter_value(fault),
          .row_steps = state.row_steps.empty() ? nullptr : storage(state.row_steps).last.data()};
}

}  // namespace

void CudaBackend::adam(const AdamOptions& options, const Counter& step, const Matrix& gradient,
                       Matrix& parameter, AdamState& state, const RowSet* rows, Counter* fault) {
  const Range range("adam");
  check_adam(options, step, gradient, parameter, state, rows, fault);
  const DeviceScope scope = use_device();
  CounterStorage& steps = storage(step);
  if (steps.beta1 != options.beta1 || steps.beta2 != options.beta2) {
    const Launcher launch(queue_of_counters(step));
    launch({.blocks = 1, .threads = 1}, adam_betas_kernel, steps.value.data(), options.beta1,
           options.beta2, steps.decay.data());
    steps.beta1 = options.beta1;
    steps.beta2 = options.beta2;
  }
  AdamTask task = adam_task(options, steps, parameter, state, rows, fault);
  task.gradient = view(gradient).data;
  if (!deferred(task)) launch_adam(queue(), task);
  refresh_copies({&state.first_moment, &state.second_moment});
}

void CudaBackend::adam_catch_up(const AdamOptions& options, const Counter& step, Matrix& parameter,
                                AdamState& state, const RowSet* rows, Counter* fault) {
  const Range range("adam_catch_up");
  check_adam_catch_up(options, step, parameter, state, rows, fault);
  const DeviceScope scope = use_device();
  launch_adam_catch_up(queue(), adam_task(options, storage(step), parameter, state, rows, fault));
  refresh_copies({&state.first_moment, &state.second_moment});
}

}  // namespace tern::cuda
