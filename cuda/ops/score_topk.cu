#include "cuda/ops/score_topk.cuh"

#include <thrust/iterator/counting_iterator.h>
#include <thrust/iterator/transform_iterator.h>
#include <cub/device/device_segmented_sort.cuh>

#include "cuda/support/launch.hpp"

namespace tern::cuda {
namespace {

/// Where row r of so many keys begins.
struct RowStart {
  std::int64_t width;
  __host__ __device__ std::int64_t operator()(std::int64_t row) const { return row * width; }
};

auto row_starts(NodeId num_items) {
  return thrust::make_transform_iterator(thrust::make_counting_iterator(std::int64_t{0}),
                                         RowStart{num_items});
}

std::size_t sort_bytes(std::int64_t count, NodeId num_items) {
  std::size_t bytes = 0;
  const auto starts = row_starts(num_items);
  check(cub::DeviceSegmentedSort::SortKeysDescending(
      nullptr, bytes, static_cast<const TopKey*>(nullptr), static_cast<TopKey*>(nullptr),
      count * num_items, count, starts, starts + 1));
  return bytes;
}

}  // namespace

void launch_gather(const Queue& queue, const GatherTask& task) {
  run_gather(Launcher(queue), task);
}

void launch_mask(const Queue& queue, const SelectTask& task, const CsrView& observed) {
  run_mask(Launcher(queue), task, observed);
}

std::size_t select_bytes(std::int64_t count, NodeId num_items, std::int64_t k) {
  if (k <= kMaxSelected) return 0;
  return 2 * select_key_bytes(count, num_items) + sort_bytes(count, num_items);
}

void launch_select(const Queue& queue, const SelectTask& task, void* sorting, std::size_t bytes) {
  if (task.count == 0) return;
  const std::size_t size = select_key_bytes(task.count, task.num_items);
  auto* storage = static_cast<char*>(sorting);
  auto* keys = reinterpret_cast<TopKey*>(storage);
  auto* sorted = reinterpret_cast<TopKey*>(storage + size);
  run_select(Launcher(queue), task, keys, [&] {
    if (size == 0) return sorted;
    std::size_t left = bytes - 2 * size;
    const auto starts = row_starts(task.num_items);
    check(cub::DeviceSegmentedSort::SortKeysDescending(storage + 2 * size, left, keys, sorted,
                                                       task.count * task.num_items, task.count,
                                                       starts, starts + 1, queue.stream));
    return sorted;
  });
}

}  // namespace tern::cuda
