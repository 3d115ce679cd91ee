#include <thrust/iterator/counting_iterator.h>
#include <thrust/iterator/transform_iterator.h>

#include <algorithm>
#include <cub/device/device_segmented_radix_sort.cuh>
#include <limits>
#include <memory>
#include <vector>

#include "bench/ops/expected.hpp"
#include "bench/variants/cuda/cuda_device.hpp"
#include "bench/variants/cuda/device_tables.hpp"
#include "bench/variants/cuda/prepare_sort.cuh"
#include "bench/variants/cuda/rivals.hpp"

// score_topk from libraries: cuBLAS computes all scores of a block of queries, observed items
// become -inf, CUB sorts every row with its item numbers, and the first k are kept.

namespace tern::bench {
namespace {

/// Scores held and sorted at a time: 4 GiB of keys and values, in and out. CUB counts them in an
/// int.
constexpr std::int64_t kMaxScores = std::int64_t{1} << 28;

/// The begin of row `segment` in a block of scores.
struct RowBegin {
  std::int64_t items;
  __host__ __device__ std::int64_t operator()(std::int64_t segment) const {
    return segment * items;
  }
};

class ProductAndSort {
 public:
  ProductAndSort(const Workload& w, CudaDevice& device)
      : device_(device),
        queries_(static_cast<std::int64_t>(queries_of(w).size())),
        items_(w.nodes(Side::kItem)),
        kept_(std::min(kBestItems, items_)),
        block_(std::clamp<std::int64_t>(kMaxScores / std::max<std::int64_t>(1, items_), 1,
                                        std::max<std::int64_t>(1, queries_))),
        observed_(w.interactions(), device.memory()),
        user_table_(w, Side::kUser, 1, device.memory()),
        item_table_(w, Side::kItem, 2, device.memory()),
        scores_(block_ * items_, device.memory()),
        sorted_scores_(block_ * items_, device.memory()),
        numbers_(block_ * items_, device.memory()),
        sorted_numbers_(block_ * items_, device.memory()),
        top_scores_(queries_ * kept_, device.memory()),
        top_items_(queries_ * kept_, device.memory()) {
    std::size_t bytes = 0;
    sort(nullptr, bytes, block_);
    temporary_ = cuda::DeviceArray<std::uint8_t>(static_cast<std::int64_t>(bytes), device.memory());
  }

  void run() {
    for (std::int64_t first = 0; first < queries_; first += block_) {
      const std::int64_t count = std::min(block_, queries_ - first);
      multiply(first, count);
      cuda::run_prepare_sort(cuda::Launcher(device_.queue()),
                             {.observed = observed_.view(),
                              .first_user = first,
                              .count = count,
                              .num_items = static_cast<NodeId>(items_),
                              .scores = scores_.data(),
                              .items = numbers_.data()});
      std::size_t bytes = temporary_.bytes();
      sort(temporary_.data(), bytes, count);
      keep(top_scores_.data() + first * kept_, sorted_scores_.data(), count);
      keep(top_items_.data() + first * kept_, sorted_numbers_.data(), count);
    }
  }

  void poison() {
    top_scores_.fill_bytes(0xff);
    top_items_.fill_bytes(0xff);
  }

  TopItems top() const {
    std::vector<float> scores(static_cast<std::size_t>(top_scores_.size()));
    std::vector<NodeId> items(scores.size());
    top_scores_.download(scores);
    top_items_.download(items);
    TopItems top;
    top.k = kBestItems;
    top.scores.assign(static_cast<std::size_t>(queries_ * kBestItems),
                      -std::numeric_limits<float>::infinity());
    top.items.assign(top.scores.size(), -1);
    for (std::int64_t i = 0; i < queries_ * kept_; ++i) {
      const auto from = static_cast<std::size_t>(i);
      const auto to = static_cast<std::size_t>(i / kept_ * kBestItems + i % kept_);
      if (scores[from] == -std::numeric_limits<float>::infinity()) continue;
      top.scores[to] = scores[from];
      top.items[to] = items[from];
    }
    return top;
  }

 private:
  /// scores (count, items) = users · itemsᵀ. cuBLAS is column-major.
  void multiply(std::int64_t first, std::int64_t count) {
    const float one = 1.0F;
    const float zero = 0.0F;
    cuda::check(cublasSgemm_64(device_.cublas(), CUBLAS_OP_T, CUBLAS_OP_N, items_, count,
                               item_table_.width(), &one, item_table_.data(), item_table_.stride(),
                               user_table_.data() + first * user_table_.stride(),
                               user_table_.stride(), &zero, scores_.data(), items_));
  }

  /// The rows of scores in descending order, with their item numbers; ties stay as they were.
  void sort(void* temporary, std::size_t& bytes, std::int64_t count) {
    const auto begins = thrust::make_transform_iterator(
        thrust::make_counting_iterator(std::int64_t{0}), RowBegin{items_});
    cuda::check(cub::DeviceSegmentedRadixSort::SortPairsDescending(
        temporary, bytes, scores_.data(), sorted_scores_.data(), numbers_.data(),
        sorted_numbers_.data(), static_cast<int>(count * items_), static_cast<int>(count), begins,
        begins + 1, 0, 32, device_.queue().stream));
  }

  template <typename T>
  void keep(T* top, const T* sorted, std::int64_t count) {
    const auto row = [](std::int64_t size) { return static_cast<std::size_t>(size) * sizeof(T); };
    cuda::check(cudaMemcpy2DAsync(top, row(kept_), sorted, row(items_), row(kept_),
                                  static_cast<std::size_t>(count), cudaMemcpyDeviceToDevice,
                                  device_.queue().stream));
  }

  CudaDevice& device_;
  std::int64_t queries_;
  std::int64_t items_;
  std::int64_t kept_;
  std::int64_t block_;  // queries at a time
  DeviceCsr observed_;
  DeviceTable user_table_;
  DeviceTable item_table_;
  cuda::DeviceArray<float> scores_;
  cuda::DeviceArray<float> sorted_scores_;
  cuda::DeviceArray<NodeId> numbers_;
  cuda::DeviceArray<NodeId> sorted_numbers_;
  cuda::DeviceArray<float> top_scores_;
  cuda::DeviceArray<NodeId> top_items_;
  cuda::DeviceArray<std::uint8_t> temporary_;
};

PreparedCase prepare(Workload& w) {
  CudaDevice& device = cuda_device(w);
  auto rival = std::make_shared<ProductAndSort>(w, device);
  PreparedCase ready;
  ready.cost = cost_of_score_topk(w);
  ready.timer = &device.rival_timer();
  ready.run = [rival] { rival->run(); };
  ready.reset = [rival] { rival->poison(); };
  ready.verify = [&w, rival] { expect_best_items(w, rival->top()); };
  return ready;
}

}  // namespace

void add_score_topk_cublas(Cases& cases) {
  cases.push_back({"score_topk", "2048_users", "cublas_and_sort", Bound::kProduct, prepare});
}

}  // namespace tern::bench
