// The plan that frees the losses of atomics: for every batch of a window its distinct rows,
// and for every row its occurrences in order. Three passes of one thread an element around CUB's
// stable radix sort and its scan: about 100 bytes moved an occurrence, once an epoch. Integers
// alone: exact.

#include "cuda/ops/next_batch_plan.hpp"

#include <algorithm>
#include <cub/device/device_radix_sort.cuh>
#include <cub/device/device_scan.cuh>

#include "cuda/support/launch.hpp"

namespace tern::cuda {
namespace {

constexpr int kPlanThreads = 256;

__device__ inline std::int64_t plan_index() {
  return static_cast<std::int64_t>(blockIdx.x) * kPlanThreads + threadIdx.x;
}

/// keys and unsorted occurrences. One thread a triplet.
__global__ void __launch_bounds__(kPlanThreads)
    plan_keys_kernel(const __grid_constant__ PlanTask task) {
  const std::int64_t i = plan_index();
  if (i >= task.num_triplets) return;
  const std::int64_t batch = i / task.batch_size;
  const auto t = static_cast<std::int32_t>(i - batch * task.batch_size);
  const std::uint64_t prefix = static_cast<std::uint64_t>(batch) << task.row_bits;
  const Triplet triplet = task.triplets[i];
  if (task.occurrences_per_triplet() == 1) {
    const bool user = task.side == Side::kUser;
    task.keys[i] = prefix | static_cast<std::uint32_t>(user ? triplet.user : triplet.positive);
    task.unsorted[i] = user ? t : 2 * t;
    return;
  }
  task.keys[2 * i] = prefix | static_cast<std::uint32_t>(triplet.positive);
  task.keys[2 * i + 1] = prefix | static_cast<std::uint32_t>(triplet.negative);
  task.unsorted[2 * i] = 2 * t;
  task.unsorted[2 * i + 1] = 2 * t + 1;
}

/// runs[i] = 1 if a (batch, row) begins at sorted key i, else 0. One thread an occurrence.
__global__ void __launch_bounds__(kPlanThreads)
    plan_heads_kernel(const __grid_constant__ PlanTask task) {
  const std::int64_t i = plan_index();
  if (i >= task.size()) return;
  task.runs[i] = i == 0 || task.sorted[i] != task.sorted[i - 1] ? 1 : 0;
}

/// rows, starts and first_row from the sorted keys and the inclusive sum of runs.
__global__ void __launch_bounds__(kPlanThreads)
    plan_rows_kernel(const __grid_constant__ PlanTask task) {
  const std::int64_t i = plan_index();
  const std::int64_t size = task.size();
  if (i >= size) return;
  const std::int32_t run = task.runs[i] - 1;
  const std::uint64_t key = task.sorted[i];
  const std::uint64_t before = i == 0 ? ~std::uint64_t{0} : task.sorted[i - 1];
  const std::uint64_t batch = key >> task.row_bits;
  if (key != before) {
    task.rows[run] = static_cast<NodeId>(key & ((std::uint64_t{1} << task.row_bits) - 1));
    task.starts[run] = static_cast<std::int32_t>(i);
    if (i == 0 || batch != before >> task.row_bits) task.first_row[batch] = run;
  }
  if (i == size - 1) {
    task.starts[run + 1] = static_cast<std::int32_t>(size);
    task.first_row[batch + 1] = run + 1;
  }
}

}  // namespace

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
  const Launcher launch(queue);
  const auto one_each = [](std::int64_t count) {
    return LaunchShape{.blocks = ceil_div(count, kPlanThreads), .threads = kPlanThreads};
  };
  launch(one_each(task.num_triplets), plan_keys_kernel, task);
  const int bits =
      std::min(64, task.row_bits + bits_for(static_cast<std::uint64_t>(task.batches())));
  check_launches(queue, cub::DeviceRadixSort::SortPairs(temporary, bytes, task.keys, task.sorted,
                                                        task.unsorted, task.occurrences,
                                                        task.size(), 0, bits, queue.stream));
  launch(one_each(task.size()), plan_heads_kernel, task);
  check_launches(queue, cub::DeviceScan::InclusiveSum(temporary, bytes, task.runs, task.runs,
                                                      task.size(), queue.stream));
  launch(one_each(task.size()), plan_rows_kernel, task);
}

}  // namespace tern::cuda
