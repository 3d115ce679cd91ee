#pragma once

// The graph's arrays on the device: R from pairs, Rᵀ from R, the scales of the degrees.
// One-thread-an- element passes around CUB's radix sort (make_graph.cu); rows of entries, and where
// rows begin, are found by binary search, so that empty rows and hubs cost what others cost. Once a
// job: some 60 bytes moved an entry.

#include "cuda/ops/make_graph.hpp"

#include <cuda_runtime.h>

#include <cmath>

#include "cuda/support/launch_shape.hpp"

namespace tern::cuda {
namespace {

constexpr int kGraphThreads = 256;

__device__ inline std::int64_t graph_index() {
  return static_cast<std::int64_t>(blockIdx.x) * kGraphThreads + threadIdx.x;
}

/// The first position in [0, size) of an ascending array whose element is not below the value.
template <typename T>
__device__ EdgeOffset lower_bound(const T* ascending, EdgeOffset size, T value) {
  EdgeOffset low = 0;
  EdgeOffset high = size;
  while (low < high) {
    const EdgeOffset middle = low + (high - low) / 2;
    if (ascending[middle] < value) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

/// rows[e]: the row r with offsets[r] <= e < offsets[r + 1]. One thread an entry.
__global__ void __launch_bounds__(kGraphThreads)
    make_graph_rows_kernel(const __grid_constant__ TransposeTask task) {
  const EdgeOffset e = graph_index();
  if (e >= task.size) return;
  // The first offset beyond e is the end of e's row.
  task.rows[e] = static_cast<NodeId>(
      lower_bound(task.csr.offsets, EdgeOffset{task.csr.num_rows} + 1, e + 1) - 1);
}

/// offsets[c] of Rᵀ from the ascending columns. One thread an offset.
__global__ void __launch_bounds__(kGraphThreads)
    make_graph_offsets_kernel(const __grid_constant__ TransposeTask task) {
  const std::int64_t c = graph_index();
  if (c > task.csr.num_columns) return;
  task.offsets[c] = c == task.csr.num_columns
                        ? task.size
                        : lower_bound(task.sorted, task.size, static_cast<NodeId>(c));
}

/// keys[e] = user << 32 | item. One thread a pair.
__global__ void __launch_bounds__(kGraphThreads)
    make_graph_keys_kernel(const __grid_constant__ PairsTask task) {
  const EdgeOffset e = graph_index();
  if (e >= task.size) return;
  const Interaction pair = task.pairs[e];
  task.keys[e] = static_cast<std::uint64_t>(static_cast<std::uint32_t>(pair.user)) << 32 |
                 static_cast<std::uint32_t>(pair.item);
}

/// columns and offsets of R from distinct ascending keys. One thread an entry or an offset.
__global__ void __launch_bounds__(kGraphThreads)
    make_graph_csr_kernel(const __grid_constant__ PairsTask task) {
  const std::int64_t i = graph_index();
  const EdgeOffset size = *task.unique_size;
  if (i < size) task.columns[i] = static_cast<NodeId>(task.keys[i] & 0xffffffffu);
  if (i <= task.num_users) {
    task.offsets[i] = lower_bound(task.keys, size, static_cast<std::uint64_t>(i) << 32);
  }
}

/// One thread a row.
__global__ void __launch_bounds__(kGraphThreads)
    make_graph_scale_kernel(const EdgeOffset* offsets, NodeId num_rows, float* scale) {
  const std::int64_t row = graph_index();
  if (row >= num_rows) return;
  const auto degree = static_cast<double>(offsets[row + 1] - offsets[row]);
  scale[row] = degree == 0.0 ? 0.0F : static_cast<float>(1.0 / sqrt(degree));
}

inline LaunchShape graph_shape(std::int64_t elements) {
  return {.blocks = pieces(elements, kGraphThreads), .threads = kGraphThreads};
}

/// sort(): (csr.columns, rows) into (sorted, columns), stable by the first.
template <typename Launch, typename Sort>
void run_transpose(const Launch& launch, const TransposeTask& task, Sort&& sort) {
  launch(graph_shape(task.size), make_graph_rows_kernel, task);
  sort();
  launch(graph_shape(EdgeOffset{task.csr.num_columns} + 1), make_graph_offsets_kernel, task);
}

/// sort(): keys into sorted, then its distinct keys back into keys and their number into
/// unique_size.
template <typename Launch, typename Sort>
void run_pairs(const Launch& launch, const PairsTask& task, Sort&& sort) {
  launch(graph_shape(task.size), make_graph_keys_kernel, task);
  sort();
  const EdgeOffset offsets = EdgeOffset{task.num_users} + 1;
  launch(graph_shape(task.size > offsets ? task.size : offsets), make_graph_csr_kernel, task);
}

template <typename Launch>
void run_degree_scale(const Launch& launch, const EdgeOffset* offsets, NodeId num_rows,
                      float* scale) {
  launch(graph_shape(num_rows), make_graph_scale_kernel, offsets, num_rows, scale);
}

}  // namespace
}  // namespace tern::cuda
