#pragma once

// Elements or rows of a matrix (N, D) dropped, in place; the law is Backend::dropout's.
//
// A group of lanes a row, 16 bytes a lane. Elements: 8·N·D bytes, and a hundred integer operations
// a Philox block of four words: about as long as the bytes take. The blocks of a stream count
// elements without padding: a vector has one block where D is a whole number of vectors, else parts
// of two. Rows: a lane draws once, and writes only where the row is dropped.

#include <cuda_runtime.h>

#include "cuda/ops/dropout.hpp"
#include "cuda/support/launch_shape.hpp"
#include "cuda/support/vector.cuh"
#include "tern/random.hpp"

namespace tern::cuda {
namespace {

constexpr int kDropoutThreads = 256;

/// The words of elements, or rows, [4 block, 4 block + 4).
__device__ inline Words dropout_words(const DropoutTask& task, std::uint64_t block) {
  RandomStream stream(task.options.seed, Purpose::kDropout, static_cast<std::uint32_t>(*task.step),
                      (std::uint64_t{task.options.place} << 48) + block);
  Words words{};
  for (std::uint32_t& word : words.word) word = stream.next();
  return words;
}

/// The words of elements [index, index + 4).
__device__ inline Words dropout_words_at(const DropoutTask& task, std::uint64_t index) {
  const Words first = dropout_words(task, index / 4);
  const auto skip = static_cast<unsigned>(index % 4);
  if (skip == 0) return first;
  const Words second = dropout_words(task, index / 4 + 1);
  const std::uint32_t(&a)[4] = first.word;
  const std::uint32_t(&b)[4] = second.word;
  // Places known when compiled: an index would put the words into memory.
  if (skip == 1) return Words{{a[1], a[2], a[3], b[0]}};
  if (skip == 2) return Words{{a[2], a[3], b[0], b[1]}};
  return Words{{a[3], b[0], b[1], b[2]}};
}

__device__ inline float drop(const DropoutTask& task, std::uint32_t word, float value) {
  return word >= task.threshold ? task.factor * value : 0.0F;
}

/// The row of a group of `lanes` threads; beyond the last where there is none.
__device__ inline std::int64_t dropout_row(const DropoutTask& task, int lanes) {
  return task.first_row + static_cast<std::int64_t>(blockIdx.x) * (kDropoutThreads / lanes) +
         static_cast<int>(threadIdx.x) / lanes;
}

/// `lanes` threads a row. Padding is zero, and stays so.
__global__ void __launch_bounds__(kDropoutThreads)
    dropout_elements_kernel(const __grid_constant__ DropoutTask task, int lanes) {
  const std::int64_t row = dropout_row(task, lanes);
  if (row >= task.values.rows) return;
  const std::int64_t vectors = task.values.stride / kVector;
  for (std::int64_t place = static_cast<int>(threadIdx.x) % lanes; place < vectors;
       place += lanes) {
    const Words words = dropout_words_at(
        task, static_cast<std::uint64_t>(row * task.values.cols + place * kVector));
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
  const Words words = dropout_words(task, draw / 4);
  const std::uint32_t low = draw % 2 == 0 ? words.word[0] : words.word[1];
  const std::uint32_t high = draw % 2 == 0 ? words.word[2] : words.word[3];
  if ((draw % 4 < 2 ? low : high) >= task.threshold) return;
  const std::int64_t vectors = task.values.stride / kVector;
  for (std::int64_t place = static_cast<int>(threadIdx.x) % lanes; place < vectors;
       place += lanes) {
    as_vectors(task.values.data)[row * vectors + place] = zero_vector();
  }
}

template <typename Launch>
void run_dropout(const Launch& launch, const DropoutTask& task) {
  const std::int64_t rows = task.values.rows - task.first_row;
  const std::int64_t vectors = task.values.stride / kVector;
  if (rows == 0 || vectors == 0) return;
  const int lanes = lanes_for(vectors);
  const LaunchShape shape{.blocks = pieces(rows, kDropoutThreads / lanes),
                          .threads = kDropoutThreads};
  const bool elements = task.options.unit == DropoutOptions::Unit::kElement;
  launch(shape, elements ? dropout_elements_kernel : dropout_rows_kernel, task, lanes);
}

}  // namespace
}  // namespace tern::cuda
