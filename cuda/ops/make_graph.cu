#include "cuda/ops/make_graph.cuh"

#include <algorithm>
#include <cub/device/device_radix_sort.cuh>
#include <cub/device/device_select.cuh>

#include "cuda/ops/plan.hpp"
#include "cuda/support/launch.hpp"

namespace tern::cuda {

std::size_t transpose_bytes(EdgeOffset size) {
  std::size_t bytes = 0;
  check(cub::DeviceRadixSort::SortPairs(
      nullptr, bytes, static_cast<const NodeId*>(nullptr), static_cast<NodeId*>(nullptr),
      static_cast<const NodeId*>(nullptr), static_cast<NodeId*>(nullptr), size));
  return bytes;
}

void launch_transpose(const Queue& queue, const TransposeTask& task, void* temporary,
                      std::size_t bytes) {
  run_transpose(Launcher(queue), task, [&] {
    if (task.size == 0) return;
    const int bits = bits_for(static_cast<std::uint64_t>(task.csr.num_columns));
    check(cub::DeviceRadixSort::SortPairs(temporary, bytes, task.csr.columns, task.sorted,
                                          task.rows, task.columns, task.size, 0, bits,
                                          queue.stream));
  });
}

std::size_t pairs_bytes(EdgeOffset size) {
  std::size_t sort = 0;
  check(cub::DeviceRadixSort::SortKeys(nullptr, sort, static_cast<const std::uint64_t*>(nullptr),
                                       static_cast<std::uint64_t*>(nullptr), size));
  std::size_t unique = 0;
  check(cub::DeviceSelect::Unique(nullptr, unique, static_cast<const std::uint64_t*>(nullptr),
                                  static_cast<std::uint64_t*>(nullptr),
                                  static_cast<EdgeOffset*>(nullptr), size));
  return std::max(sort, unique);
}

void launch_pairs(const Queue& queue, const PairsTask& task, void* temporary, std::size_t bytes) {
  run_pairs(Launcher(queue), task, [&] {
    if (task.size == 0) {
      check(cudaMemsetAsync(task.unique_size, 0, sizeof(EdgeOffset), queue.stream));
      return;
    }
    const int bits = 32 + bits_for(static_cast<std::uint64_t>(task.num_users));
    check(cub::DeviceRadixSort::SortKeys(temporary, bytes, task.keys, task.sorted, task.size, 0,
                                         bits, queue.stream));
    check(cub::DeviceSelect::Unique(temporary, bytes, task.sorted, task.keys, task.unique_size,
                                    task.size, queue.stream));
  });
}

void launch_degree_scale(const Queue& queue, const EdgeOffset* offsets, NodeId num_rows,
                         float* scale) {
  run_degree_scale(Launcher(queue), offsets, num_rows, scale);
}

}  // namespace tern::cuda
