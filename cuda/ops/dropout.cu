// dropout: drops elements or rows of a matrix (N, D), in place. Source: Srivastava et al. 2014;
// rows: Volkovs et al. 2017.
//
//   values = kept ? factor · values : 0
//
// Backend::dropout says which random word decides for which element or row. Every element belongs
// to one thread and the words depend on its index alone: bitwise reproducible.
//
// A group of lanes handles a row, 16 bytes a lane. Elements: 8·N·D bytes, and a hundred integer
// operations for each Philox block of four words, which take about as long as the bytes. The random
// stream counts elements without padding: a vector has one block of words if D is a whole number of
// vectors, else parts of two. Rows: a lane draws once, and writes only if the row is dropped.

#include "cuda/ops/dropout.hpp"

#include "cuda/backend.hpp"
#include "cuda/ops/word_stream.cuh"
#include "cuda/support/vector.cuh"
#include "host/backend/checks.hpp"

namespace tern::cuda {
namespace {

constexpr int kDropoutThreads = 256;

__device__ inline WordStream stream_of(const DropoutTask& task) {
  return {Purpose::kDropout, task.options.seed, static_cast<std::uint32_t>(*task.step),
          task.options.place};
}

__device__ inline float drop(const DropoutTask& task, std::uint32_t word, float value) {
  return word >= task.threshold ? task.factor * value : 0.0F;
}

/// The row of a group of `lanes` threads; not below values.rows if the group has none.
__device__ inline std::int64_t dropout_row(const DropoutTask& task, int lanes) {
  return task.first_row + static_cast<std::int64_t>(blockIdx.x) * (kDropoutThreads / lanes) +
         static_cast<int>(threadIdx.x) / lanes;
}

/// `lanes` threads a row. The padding is zero and stays zero.
__global__ void __launch_bounds__(kDropoutThreads)
    dropout_elements_kernel(const __grid_constant__ DropoutTask task, int lanes) {
  const std::int64_t row = dropout_row(task, lanes);
  if (row >= task.values.rows) return;
  const std::int64_t vectors = task.values.stride / kVector;
  for (std::int64_t place = static_cast<int>(threadIdx.x) % lanes; place < vectors;
       place += lanes) {
    const Words words = stream_of(task).of_elements(
        static_cast<std::uint64_t>(row * task.values.cols + place * kVector));
    float4& at = as_vectors(task.values.data)[row * vectors + place];
    const float4 value = at;
    at = make_float4(drop(task, words.word[0], value.x), drop(task, words.word[1], value.y),
                     drop(task, words.word[2], value.z), drop(task, words.word[3], value.w));
  }
}

/// `lanes` threads a row.
__global__ void __launch_bounds__(kDropoutThreads)
    dropout_rows_kernel(const __grid_constant__ DropoutTask task, int lanes) {
  const std::int64_t row = dropout_row(task, lanes);
  if (row >= task.values.rows) return;
  const auto draw = static_cast<std::uint64_t>(row);
  const Words words = stream_of(task).block(draw / 4);
  const std::uint32_t low = draw % 2 == 0 ? words.word[0] : words.word[1];
  const std::uint32_t high = draw % 2 == 0 ? words.word[2] : words.word[3];
  if ((draw % 4 < 2 ? low : high) >= task.threshold) return;
  const std::int64_t vectors = task.values.stride / kVector;
  for (std::int64_t place = static_cast<int>(threadIdx.x) % lanes; place < vectors;
       place += lanes) {
    as_vectors(task.values.data)[row * vectors + place] = zero_vector();
  }
}

}  // namespace

void launch_dropout(const Queue& queue, const DropoutTask& task) {
  const std::int64_t rows = task.values.rows - task.first_row;
  const std::int64_t vectors = task.values.stride / kVector;
  if (rows == 0 || vectors == 0) return;
  const int lanes = lanes_for(vectors);
  const bool elements = task.options.unit == DropoutOptions::Unit::kElement;
  const Launcher launch(queue);
  launch({.blocks = ceil_div(rows, kDropoutThreads / lanes), .threads = kDropoutThreads},
         elements ? dropout_elements_kernel : dropout_rows_kernel, task, lanes);
}

void CudaBackend::dropout(const DropoutOptions& options, const Counter& step, Matrix& values) {
  const Range range("dropout");
  check_dropout(options, step, values);
  expect_all_columns("dropout");
  const DeviceScope scope = use_device();
  const DropoutTask task{.options = options,
                         .threshold = dropout_threshold(options.probability),
                         .factor = static_cast<float>(1.0 / (1.0 - options.probability)),
                         .step = storage(step).value.data(),
                         .values = view(values)};
  if (options.probability == 0) return;
  launch_dropout(queue(), task);
  refresh_copies({&values});
}

}  // namespace tern::cuda
