#pragma once

// The epoch-ahead plan that frees bpr of atomics: for every batch its distinct rows, and for every
// row its occurrences in order. Made of three one-thread-an-element passes around CUB's stable
// radix sort and its scan (plan.cu): about 100 bytes moved an occurrence, once an epoch.

#include "cuda/ops/plan.hpp"

#include <cuda_runtime.h>

#include "cuda/support/launch_shape.hpp"

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
  if (task.side == Side::kUser) {
    task.keys[i] = prefix | static_cast<std::uint32_t>(triplet.user);
    task.unsorted[i] = t;
    return;
  }
  task.keys[2 * i] = prefix | static_cast<std::uint32_t>(triplet.positive);
  task.keys[2 * i + 1] = prefix | static_cast<std::uint32_t>(triplet.negative);
  task.unsorted[2 * i] = 2 * t;
  task.unsorted[2 * i + 1] = 2 * t + 1;
}

/// runs[i] = 1 where a (batch, row) begins among the sorted keys. One thread an occurrence.
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

/// The passes, in order; `sort` and `sum` stand for the device-wide primitives between them:
/// sort(): (keys, unsorted) into (sorted, occurrences), stable; sum(): inclusive sum of runs.
template <typename Launch, typename Sort, typename Sum>
void run_plan(const Launch& launch, const PlanTask& task, Sort&& sort, Sum&& sum) {
  if (task.num_triplets == 0) return;
  const auto one_each = [](std::int64_t count) {
    return LaunchShape{.blocks = pieces(count, kPlanThreads), .threads = kPlanThreads};
  };
  launch(one_each(task.num_triplets), plan_keys_kernel, task);
  sort();
  launch(one_each(task.size()), plan_heads_kernel, task);
  sum();
  launch(one_each(task.size()), plan_rows_kernel, task);
}

}  // namespace
}  // namespace tern::cuda
