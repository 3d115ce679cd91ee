#pragma once

// The step between the product of scores and their sort: writes the item numbers, which are sorted
// along, and -inf at the observed items.

#include <cuda_runtime.h>

#include "bench/variants/cuda/product_task.hpp"

namespace tern::cuda {

/// A block of queries, users first_user, first_user + 1, ...
struct PrepareSortTask {
  CsrView observed;
  std::int64_t first_user = 0;
  std::int64_t count = 0;
  NodeId num_items = 0;
  float* scores = nullptr;  // (count, num_items)
  NodeId* items = nullptr;  // (count, num_items)
};

namespace {

/// items[q][i] = i.
__global__ void __launch_bounds__(kRivalThreads)
    number_items_kernel(const __grid_constant__ PrepareSortTask task) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kRivalThreads + threadIdx.x;
  if (i < task.count * task.num_items) task.items[i] = static_cast<NodeId>(i % task.num_items);
}

/// One block a query.
__global__ void __launch_bounds__(kRivalThreads)
    mask_observed_kernel(const __grid_constant__ PrepareSortTask task) {
  const std::int64_t query = blockIdx.x;
  const std::int64_t user = task.first_user + query;
  const EdgeOffset end = task.observed.offsets[user + 1];
  for (EdgeOffset e = task.observed.offsets[user] + threadIdx.x; e < end; e += kRivalThreads) {
    task.scores[query * task.num_items + task.observed.columns[e]] = -INFINITY;
  }
}

template <typename Launch>
void run_prepare_sort(const Launch& launch, const PrepareSortTask& task) {
  launch({.blocks = ceil_div(task.count * task.num_items, kRivalThreads), .threads = kRivalThreads},
         number_items_kernel, task);
  launch({.blocks = task.count, .threads = kRivalThreads}, mask_observed_kernel, task);
}

}  // namespace
}  // namespace tern::cuda
