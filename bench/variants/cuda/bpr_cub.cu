#include <thrust/execution_policy.h>
#include <thrust/for_each.h>
#include <thrust/iterator/counting_iterator.h>
#include <thrust/iterator/permutation_iterator.h>
#include <thrust/iterator/transform_iterator.h>

#include <algorithm>
#include <array>
#include <cub/device/device_reduce.cuh>
#include <cub/device/device_segmented_reduce.cuh>
#include <memory>
#include <vector>

#include "bench/variants/cuda/cuda_device.hpp"
#include "bench/variants/cuda/device_tables.hpp"
#include "bench/variants/cuda/rival_batch.hpp"
#include "bench/variants/cuda/rivals.hpp"

// bpr from libraries: Thrust scores the triplets, one a thread; CUB sums the losses; a segmented
// sum of CUB adds the contributions of a row's occurrences, which an iterator computes, to the
// elements of a gradient, one segment each. The occurrences of each row are known beforehand, as
// for Tern's op.

namespace tern::bench {
namespace {

struct Tables {
  const Triplet* triplets;
  const float* users;
  const float* items;
  std::int64_t width;
  std::int64_t stride;
  std::int64_t count;  // triplets
};

/// For one triplet: loss / B and σ / B.
struct Score {
  Tables t;
  float* losses;
  float* weights;

  __device__ void operator()(std::int64_t i) const {
    const Triplet triplet = t.triplets[i];
    const float* user = t.users + triplet.user * t.stride;
    const float* positive = t.items + triplet.positive * t.stride;
    const float* negative = t.items + triplet.negative * t.stride;
    float difference = 0.0F;
    for (std::int64_t f = 0; f < t.width; ++f) difference += user[f] * (negative[f] - positive[f]);
    const float count = static_cast<float>(t.count);
    losses[i] = (fmaxf(difference, 0.0F) + log1pf(expf(-fabsf(difference)))) / count;
    weights[i] = 1.0F / (1.0F + expf(-difference)) / count;
  }
};

/// Occurrence o of a side is triplet o (users); triplet o / 2, as positive or as negative (items).
struct Contribution {
  Tables t;
  const float* weights;
  const std::int32_t* occurrences;  // by row
  std::int64_t num_occurrences;
  Side side;

  /// Index f · occurrences + place: feature f of the occurrence at a place.
  __host__ __device__ float operator()(std::int64_t index) const {
    const std::int64_t f = index / num_occurrences;
    const std::int64_t o = occurrences[index % num_occurrences];
    const std::int64_t i = side == Side::kUser ? o : o / 2;
    const Triplet triplet = t.triplets[i];
    if (side == Side::kUser) {
      return weights[i] *
             (t.items[triplet.negative * t.stride + f] - t.items[triplet.positive * t.stride + f]);
    }
    const float value = weights[i] * t.users[triplet.user * t.stride + f];
    return o % 2 == 0 ? -value : value;
  }
};

/// The begin of segment f · rows + r, which sums feature f of the gradient of distinct row r.
struct SegmentBegin {
  const std::int32_t* starts;
  std::int64_t rows;
  std::int64_t num_occurrences;
  std::int64_t shift;  // 0: begins of segments; 1: ends
  __host__ __device__ std::int64_t operator()(std::int64_t segment) const {
    return segment / rows * num_occurrences + starts[segment % rows + shift];
  }
};

/// The index of that element in the gradient.
struct GradientPlace {
  const NodeId* row_ids;
  std::int64_t rows;
  std::int64_t stride;
  __host__ __device__ std::int64_t operator()(std::int64_t segment) const {
    return row_ids[segment % rows] * stride + segment / rows;
  }
};

template <typename Function>
auto computed(const Function& function) {
  return thrust::make_transform_iterator(thrust::make_counting_iterator(std::int64_t{0}), function);
}

/// One side's distinct rows, and the occurrences of each.
struct SidePlan {
  SidePlan(Side which, std::span<const Triplet> triplets, const cuda::Memory& memory)
      : side(which) {
    std::vector<std::pair<NodeId, std::int32_t>> found;
    for (const Triplet& t : triplets) {
      const auto next = static_cast<std::int32_t>(found.size());
      if (side == Side::kUser) {
        found.emplace_back(t.user, next);
      } else {
        found.emplace_back(t.positive, next);
        found.emplace_back(t.negative, next + 1);
      }
    }
    std::ranges::sort(found);
    std::vector<std::int32_t> order;
    std::vector<std::int32_t> begins;
    std::vector<NodeId> ids;
    for (const auto& [row, occurrence] : found) {
      if (ids.empty() || ids.back() != row) {
        ids.push_back(row);
        begins.push_back(static_cast<std::int32_t>(order.size()));
      }
      order.push_back(occurrence);
    }
    begins.push_back(static_cast<std::int32_t>(order.size()));
    occurrences = cuda::to_device(std::span<const std::int32_t>(order), memory);
    starts = cuda::to_device(std::span<const std::int32_t>(begins), memory);
    rows = cuda::to_device(std::span<const NodeId>(ids), memory);
  }

  Side side;
  cuda::DeviceArray<std::int32_t> occurrences;
  cuda::DeviceArray<std::int32_t> starts;
  cuda::DeviceArray<NodeId> rows;
};

class CubBpr {
 public:
  CubBpr(const Workload& w, CudaDevice& device)
      : stream_(device.queue().stream),
        triplets_(cuda::to_device(first_triplets(w), device.memory())),
        plans_{SidePlan(Side::kUser, first_triplets(w), device.memory()),
               SidePlan(Side::kItem, first_triplets(w), device.memory())},
        users_(w, Side::kUser, 1, device.memory()),
        items_(w, Side::kItem, 2, device.memory()),
        gradients_{DeviceTable(w.nodes(Side::kUser), w.width(), device.memory()),
                   DeviceTable(w.nodes(Side::kItem), w.width(), device.memory())},
        losses_(triplets_.size(), device.memory()),
        weights_(triplets_.size(), device.memory()),
        loss_(1, device.memory()) {
    std::size_t most = 0;
    for (const SidePlan& plan : plans_) most = std::max(most, add_up(plan, nullptr, 0));
    most = std::max(most, add_losses(nullptr, 0));
    temporary_ = cuda::DeviceArray<std::uint8_t>(static_cast<std::int64_t>(most), device.memory());
  }

  void run() {
    thrust::for_each_n(thrust::cuda::par_nosync.on(stream_),
                       thrust::make_counting_iterator(std::int64_t{0}), triplets_.size(),
                       Score{tables(), losses_.data(), weights_.data()});
    add_losses(temporary_.data(), temporary_.bytes());
    for (const SidePlan& plan : plans_) add_up(plan, temporary_.data(), temporary_.bytes());
  }

  void poison() {
    for (DeviceTable& gradient : gradients_) gradient.poison();
    loss_.fill_bytes(0xff);
  }

  float loss() const {
    float value = 0.0F;
    loss_.download(std::span(&value, 1));
    return value;
  }
  const DeviceTable& gradient(Side side) const { return gradients_[static_cast<int>(side)]; }
  std::int64_t num_triplets() const { return triplets_.size(); }
  std::int64_t num_rows(Side side) const { return plans_[static_cast<int>(side)].rows.size(); }

 private:
  Tables tables() const {
    return {triplets_.data(), users_.data(),   items_.data(),
            users_.width(),   users_.stride(), triplets_.size()};
  }

  /// Both return the bytes of temporary storage that they need.
  std::size_t add_losses(void* temporary, std::size_t bytes) {
    cuda::check(cub::DeviceReduce::Sum(temporary, bytes, losses_.data(), loss_.data(),
                                       triplets_.size(), stream_));
    return bytes;
  }
  std::size_t add_up(const SidePlan& plan, void* temporary, std::size_t bytes) {
    const std::int64_t rows = plan.rows.size();
    const std::int64_t occurrences = plan.occurrences.size();
    const DeviceTable& gradient = gradients_[static_cast<int>(plan.side)];
    const auto values = computed(
        Contribution{tables(), weights_.data(), plan.occurrences.data(), occurrences, plan.side});
    const auto out = thrust::make_permutation_iterator(
        gradient.data(), computed(GradientPlace{plan.rows.data(), rows, gradient.stride()}));
    const auto begin = computed(SegmentBegin{plan.starts.data(), rows, occurrences, 0});
    const auto end = computed(SegmentBegin{plan.starts.data(), rows, occurrences, 1});
    cuda::check(cub::DeviceSegmentedReduce::Sum(temporary, bytes, values, out,
                                                rows * users_.width(), begin, end, stream_));
    return bytes;
  }

  cudaStream_t stream_;
  cuda::DeviceArray<Triplet> triplets_;
  std::array<SidePlan, 2> plans_;
  DeviceTable users_;
  DeviceTable items_;
  std::array<DeviceTable, 2> gradients_;
  cuda::DeviceArray<float> losses_;
  cuda::DeviceArray<float> weights_;
  cuda::DeviceArray<float> loss_;
  cuda::DeviceArray<std::uint8_t> temporary_;
};

void expect_right(const Workload& w, const CubBpr& rival) {
  expect_right_batch("bpr", w, rival, [](Backend& reference, BatchTables& t) {
    reference.bpr(t.triplets, t.users, t.items, t.grad_users, t.grad_items, t.losses);
  });
}

PreparedCase prepare(Workload& w) {
  CudaDevice& device = cuda_device(w);
  auto rival = std::make_shared<CubBpr>(w, device);
  PreparedCase ready;
  ready.cost = bpr_cost(rival->num_triplets(), rival->num_rows(Side::kUser),
                        rival->num_rows(Side::kItem), w.width());
  ready.timer = &device.rival_timer();
  ready.run = [rival] { rival->run(); };
  ready.reset = [rival] { rival->poison(); };
  ready.verify = [&w, rival] { expect_right(w, *rival); };
  return ready;
}

}  // namespace

void add_bpr_cub(Cases& cases) {
  cases.push_back({"bpr", "batch", "cub_segmented_sum", Bound::kGather, prepare, kReadsBatch});
}

}  // namespace tern::bench
