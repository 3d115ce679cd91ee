// score_topk: the k items of greatest score users[q]·items[i] for each query q. users: (any number
// of rows, D), items: (I, D). Ties go to the smaller item, so the result is unique: bitwise
// reproducible.
//
// Around one matrix product (cuBLAS) for each block of queries: the queries' rows are gathered, the
// scores computed, observed items masked, the k best selected. A block is so small that its scores
// stay in the L2 cache: U × I scores never exist. Every product has the same shape (QueryCuts), so
// that a user's scores are the same bits alone and among others.
//
// Selection: one block of threads handles a query. A score and its item make one 64-bit key; a
// larger key is better and no two are equal, which settles ties. Each thread finds its best key in
// one pass over the row; the k-th best of these is a bound that at least k keys reach. A second
// pass collects the keys that reach it, seldom many more than k, in shared memory, and a bitonic
// sort orders them. If too many reach it (the best items all fell to a few threads, or k exceeds
// the number of threads), bisection raises the bound, one pass over the row a step; it ends, since
// keys are distinct. 2·I·4 bytes read a query, from the cache, 16 bytes a load and four loads of a
// thread in flight (score_topk_select.cuh). For k > kMaxSelected CUB sorts whole rows.

#include "cuda/ops/score_topk.hpp"

#include <thrust/iterator/counting_iterator.h>
#include <thrust/iterator/transform_iterator.h>

#include <algorithm>
#include <cub/device/device_segmented_sort.cuh>

#include "cuda/backend.hpp"
#include "cuda/ops/score_topk_select.cuh"
#include "cuda/support/vector.cuh"
#include "host/backend/checks.hpp"

namespace tern::cuda {

/// out (count, stride): the rows of `users` that a block of queries names. All pointers here and
/// below are on the device.
struct GatherTask {
  MatrixView<const float> users;
  const NodeId* queries = nullptr;
  std::int64_t count = 0;
  float* out = nullptr;
};
/// The scores (count, num_items) of a block of queries, and the items selected from them.
struct SelectTask {
  const NodeId* queries = nullptr;
  std::int64_t count = 0;
  float* scores = nullptr;
  std::int64_t stride = 0;
  NodeId num_items = 0;
  std::int64_t k = 0;
  NodeId* top_items = nullptr;  // (count, k)
  float* top_scores = nullptr;  // (count, k)
};

namespace {

/// The size that cuBLAS's documentation recommends for compute capability 9.0. With a workspace
/// from its caller cuBLAS never allocates, and a product gives the same bits every time.
constexpr std::int64_t kCublasBytes = std::int64_t{32} << 20;

/// One thread a vector of a gathered row.
__global__ void __launch_bounds__(kTopThreads)
    score_topk_gather_kernel(const __grid_constant__ GatherTask task) {
  const std::int64_t vectors = task.users.stride / kVector;
  const std::int64_t at = static_cast<std::int64_t>(blockIdx.x) * kTopThreads + threadIdx.x;
  if (at >= task.count * vectors) return;
  const NodeId user = task.queries[at / vectors];
  as_vectors(task.out)[at] = __ldg(as_vectors(task.users.row(user)) + at % vectors);
}

/// One block a query.
__global__ void __launch_bounds__(kTopThreads)
    score_topk_mask_kernel(const __grid_constant__ SelectTask task, CsrView observed) {
  const NodeId query = task.queries[blockIdx.x];
  float* scores = task.scores + blockIdx.x * task.stride;
  const EdgeOffset end = observed.offsets[query + 1];
  for (EdgeOffset e = observed.offsets[query] + threadIdx.x; e < end; e += kTopThreads) {
    scores[observed.columns[e]] = -INFINITY;
  }
}

/// One block a query; k <= kMaxSelected.
__global__ void __launch_bounds__(kSelectThreads)
    score_topk_select_kernel(const __grid_constant__ SelectTask task) {
  __shared__ TopKey keys[kTopCapacity];
  __shared__ int collected;
  const float* scores = task.scores + blockIdx.x * task.stride;
  TopKey bound = first_bound(scores, task.num_items, task.k, keys);
  for (;;) {
    if (threadIdx.x == 0) collected = 0;
    __syncthreads();
    for_each_key(scores, task.num_items, [&](TopKey key) {
      if (key < bound) return;
      // Places are handed out in any order; the sort removes the difference.
      const int place = atomicAdd(&collected, 1);
      if (place < kTopCapacity) keys[place] = key;
    });
    __syncthreads();
    if (collected <= kTopCapacity) break;
    bound = raise_bound(scores, task.num_items, task.k, bound);
  }
  int size = 1;
  while (size < collected || size < task.k) size *= 2;
  for (int i = collected + static_cast<int>(threadIdx.x); i < size; i += kSelectThreads) {
    keys[i] = 0;
  }
  sort_descending(keys, size);
  const std::int64_t out = blockIdx.x * task.k;
  for (std::int64_t i = threadIdx.x; i < task.k; i += kSelectThreads) {
    task.top_items[out + i] = item_of(keys[i]);
    task.top_scores[out + i] = score_of(keys[i]);
  }
}

/// The keys (count, num_items) of a block of scores, for sorting whole rows. One thread a score.
__global__ void __launch_bounds__(kTopThreads)
    score_topk_keys_kernel(const __grid_constant__ SelectTask task, TopKey* keys) {
  const std::int64_t at = static_cast<std::int64_t>(blockIdx.x) * kTopThreads + threadIdx.x;
  if (at >= task.count * task.num_items) return;
  const std::int64_t item = at % task.num_items;
  keys[at] = top_key(task.scores[at / task.num_items * task.stride + item], item);
}

/// The first k of sorted rows of keys. One thread an element of the result.
__global__ void __launch_bounds__(kTopThreads)
    score_topk_write_kernel(const __grid_constant__ SelectTask task, const TopKey* sorted) {
  const std::int64_t at = static_cast<std::int64_t>(blockIdx.x) * kTopThreads + threadIdx.x;
  if (at >= task.count * task.k) return;
  const std::int64_t place = at % task.k;
  const TopKey key =
      place < task.num_items ? sorted[at / task.k * task.num_items + place] : TopKey{0};
  task.top_items[at] = item_of(key);
  task.top_scores[at] = score_of(key);
}

/// The index of the first key of a row, in rows of `width` keys.
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

LaunchShape top_shape(std::int64_t elements) {
  return {.blocks = ceil_div(elements, kTopThreads), .threads = kTopThreads};
}

/// Temporary storage for selecting from `count` rows; 0 for k <= kMaxSelected.
std::size_t select_bytes(std::int64_t count, NodeId num_items, std::int64_t k) {
  if (k <= kMaxSelected) return 0;
  return 2 * select_key_bytes(count, num_items) + sort_bytes(count, num_items);
}

/// The k best scores of each query; missing ones are item -1, score -inf. `sorting`:
/// select_bytes().
void launch_select(const Queue& queue, const SelectTask& task, void* sorting, std::size_t bytes) {
  if (task.count == 0) return;
  const Launcher launch(queue);
  if (task.k <= kMaxSelected) {
    launch({.blocks = task.count, .threads = kSelectThreads}, score_topk_select_kernel, task);
    return;
  }
  const std::size_t size = select_key_bytes(task.count, task.num_items);
  auto* storage = static_cast<char*>(sorting);
  auto* keys = reinterpret_cast<TopKey*>(storage);
  auto* sorted = reinterpret_cast<TopKey*>(storage + size);
  launch(top_shape(task.count * task.num_items), score_topk_keys_kernel, task, keys);
  if (size > 0) {
    std::size_t left = bytes - 2 * size;
    const auto starts = row_starts(task.num_items);
    check_launches(queue, cub::DeviceSegmentedSort::SortKeysDescending(
                              storage + 2 * size, left, keys, sorted, task.count * task.num_items,
                              task.count, starts, starts + 1, queue.stream));
  }
  launch(top_shape(task.count * task.k), score_topk_write_kernel, task, sorted);
}

template <typename T>
T* reserve(DeviceArray<T>& array, std::int64_t size, const Memory& memory) {
  if (array.size() < size) {
    array = DeviceArray<T>();  // freed before the new one is allocated
    array = DeviceArray<T>(size, memory);
  }
  return array.data();
}

}  // namespace

/// A block of queries on its way through score_topk.
struct CudaBackend::ScoreBlock {
  SelectTask select;
  float* gathered;
  std::int64_t product_rows;  // of `gathered`; those beyond the queries are of any value
  std::size_t sorting_bytes;
};

/// scores (product_rows, items) = gathered (product_rows, D) · itemsᵀ. cuBLAS is column-major.
void CudaBackend::multiply(const Matrix& users, const Matrix& items, const ScoreBlock& block) {
  const SelectTask& select = block.select;
  if (users.cols() == 0) {
    check(cudaMemsetAsync(select.scores, 0,
                          static_cast<std::size_t>(select.count * select.stride) * sizeof(float),
                          stream_.get()));
    return;
  }
  if (cublas_ == nullptr) {
    cublas_workspace_ = DeviceArray<std::uint8_t>(kCublasBytes, pool_memory());
    cublas_ = make_cublas(stream_.get());
    check(cublasSetWorkspace(cublas_.get(), cublas_workspace_.data(),
                             static_cast<std::size_t>(kCublasBytes)));
  }
  const float one = 1.0F;
  const float zero = 0.0F;
  const MatrixView<float> i = view(items);
  check_launches(queue(),
                 cublasSgemm_64(cublas_.get(), CUBLAS_OP_T, CUBLAS_OP_N, i.rows, block.product_rows,
                                i.cols, &one, i.data, i.stride, block.gathered, view(users).stride,
                                &zero, select.scores, select.stride));
}

void CudaBackend::score_block(const Matrix& users, const Matrix& items,
                              std::span<const Graph* const> observed, const ScoreBlock& block) {
  const SelectTask& select = block.select;
  const MatrixView<const float> table = read_only_view(users);
  const Launcher launch(queue());
  launch(top_shape(select.count * (table.stride / kVector)), score_topk_gather_kernel,
         {.users = table, .queries = select.queries, .count = select.count, .out = block.gathered});
  multiply(users, items, block);
  for (const Graph* graph : observed) {
    launch({.blocks = select.count, .threads = kTopThreads}, score_topk_mask_kernel, select,
           storage(*graph).csr(Side::kUser));
  }
  launch_select(queue(), select, score_.sorting.data(), block.sorting_bytes);
}

void CudaBackend::score_topk(const Matrix& users, const Matrix& items,
                             std::span<const NodeId> queries,
                             std::span<const Graph* const> observed, std::int64_t k,
                             TopItems& top) {
  const Range range("score_topk");
  check_score_topk(users, items, queries, observed, k);
  expect_not_recording("score_topk");
  const DeviceScope scope = use_device();
  const auto count = static_cast<std::int64_t>(queries.size());
  resize_top_items(queries.size(), k, top);
  if (count == 0 || items.rows() == 0) return;

  const std::int64_t stride = padded(items.rows());
  const auto [block, chunk] =
      cut_queries(count, stride, k, {.scores = cache_bytes_ / 2, .results = options_.result_bytes});
  const auto num_items = static_cast<NodeId>(items.rows());
  const std::size_t sorting_bytes = select_bytes(std::min(block, chunk), num_items, k);
  reserve(score_.queries, count, pool_memory());
  const std::int64_t gathered = block * view(users).stride;
  if (score_.gathered.size() < gathered) {
    reserve(score_.gathered, gathered, pool_memory());
    score_.gathered.zero();  // a product reads all of it, also before queries have filled it
  }
  reserve(score_.scores, block * stride, pool_memory());
  reserve(score_.items, chunk * k, pool_memory());
  reserve(score_.top, chunk * k, pool_memory());
  reserve(score_.sorting, static_cast<std::int64_t>(sorting_bytes), pool_memory());
  score_.queries.upload(queries);

  for (std::int64_t begin = 0; begin < count; begin += chunk) {
    const std::int64_t end = std::min(begin + chunk, count);
    for (std::int64_t first = begin; first < end; first += block) {
      score_block(users, items, observed,
                  {.select = {.queries = score_.queries.data() + first,
                              .count = std::min(block, end - first),
                              .scores = score_.scores.data(),
                              .stride = stride,
                              .num_items = num_items,
                              .k = k,
                              .top_items = score_.items.data() + (first - begin) * k,
                              .top_scores = score_.top.data() + (first - begin) * k},
                   .gathered = score_.gathered.data(),
                   .product_rows = block,
                   .sorting_bytes = sorting_bytes});
    }
    const auto at = static_cast<std::size_t>(begin * k);
    const auto size = static_cast<std::size_t>((end - begin) * k);
    score_.items.download(std::span(top.items).subspan(at, size));
    score_.top.download(std::span(top.scores).subspan(at, size));
  }
}

}  // namespace tern::cuda
