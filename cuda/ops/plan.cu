#include "cuda/ops/plan.cuh"

#include <algorithm>
#include <cub/device/device_radix_sort.cuh>
#include <cub/device/device_scan.cuh>

#include "cuda/support/launch.hpp"

namespace tern::cuda {

std::size_t plan_bytes(std::int64_t n) {
  std::size_t sort = 0;
  check(cub::DeviceRadixSort::SortPairs(nullptr, sort, static_cast<const std::uint64_t*>(nullptr),
                                        static_cast<std::uint64_t*>(nullptr),
                                        static_cast<const std::int32_t*>(nullptr),
                                        static_cast<std::int32_t*>(nullptr), n));
  std::size_t sum = 0;
  check(cub::DeviceScan::InclusiveSum(nullptr, sum, static_cast<std::int32_t*>(nullptr),
                                      static_cast<std::int32_t*>(nullptr), n));
  return std::max(sort, sum);
}

void launch_plan(const Queue& queue, const PlanTask& task, void* temporary, std::size_t bytes) {
  if (task.num_triplets == 0) return;
  const int bits =
      std::min(64, task.row_bits + bits_for(static_cast<std::uint64_t>(task.batches())));
  run_plan(
      Launcher(queue), task,
      [&] {
        check(cub::DeviceRadixSort::SortPairs(temporary, bytes, task.keys, task.sorted,
                                              task.unsorted, task.occurrences, task.size(), 0, bits,
                                              queue.stream));
      },
      [&] {
        check(cub::DeviceScan::InclusiveSum(temporary, bytes, task.runs, task.runs, task.size(),
                                            queue.stream));
      });
}

}  // namespace tern::cuda
