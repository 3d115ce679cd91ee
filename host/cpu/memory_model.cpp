// What the CPU backend allocates: each formula follows the file that it names.

#include <algorithm>
#include <memory>

#include "host/cpu/dense_state.hpp"
#include "host/cpu/storage.hpp"
#include "host/train/memory_model.hpp"

namespace tern {
namespace {

constexpr std::int64_t kFloat = sizeof(float);
constexpr std::int64_t kId = sizeof(NodeId);
constexpr std::int64_t kOffset = sizeof(EdgeOffset);

/// FloatBlock: on cache lines, or on huge pages.
std::int64_t block_bytes(std::int64_t floats) {
  constexpr std::int64_t kLine = 64;
  constexpr std::int64_t kHugePage = std::int64_t{2} << 20;
  const std::int64_t bytes = std::max(floats * kFloat, kLine);
  const std::int64_t unit = bytes >= 2 * kHugePage ? kHugePage : kLine;
  return (bytes + unit - 1) / unit * unit;
}

class CpuMemoryModel final : public MemoryModel {
 public:
  explicit CpuMemoryModel(int threads) : threads_(threads) {}

  std::int64_t matrix(std::int64_t rows, std::int64_t cols) const override {
    return block_bytes(rows * cpu::padded(cols));
  }

  // backend.cpp: offsets, columns, two scales; Rᵀ is made on the way.
  Footprint graph(const Interactions& interactions) const override {
    const std::int64_t users = interactions.num_users();
    const std::int64_t items = interactions.num_items();
    const auto direction = [&](std::int64_t rows) {
      return kOffset * (rows + 1) + kId * interactions.size() + 2 * kFloat * rows;
    };
    return {.lasting = direction(users) + direction(items),
            .passing = kOffset * (items + 1) + kId * interactions.size()};
  }

  // sample.cpp: lists grow by doubling, keys and their other half with the first batch.
  Footprint triplets(const TripletSizes& sizes, const SamplingOptions& options) const override {
    const auto doubled = [](std::int64_t size) {
      std::int64_t room = 1;
      while (room < size) room *= 2;
      return room;
    };
    const std::int64_t batch = sizes.batch_size;
    std::int64_t bytes = doubled(sizes.participants) * (kId + kOffset);
    bytes += batch * static_cast<std::int64_t>(sizeof(Triplet) + kFloat + 2 * sizeof(double));
    for (const std::int64_t each : {1, 2}) {
      const std::int64_t nodes = each == 1 ? sizes.users : sizes.items;
      const std::int64_t room = doubled(each * batch);
      constexpr std::int64_t kPlaces = 2 * sizeof(std::int32_t) + 2 * sizeof(std::uint64_t);
      bytes += room * kPlaces + nodes + kId * std::min(nodes, each * batch);
    }
    Footprint footprint{.lasting = bytes};
    if (options.negatives == NegativeSampling::kPopularity) {
      footprint.lasting += sizes.items * static_cast<std::int64_t>(sizeof(std::uint32_t) + kId);
      footprint.passing = 3 * sizes.items * static_cast<std::int64_t>(sizeof(double));
    }
    return footprint;
  }

  // dense_state.hpp
  std::int64_t dense_state(std::int64_t rows, std::int64_t cols) const override {
    const std::int64_t stride = cpu::padded(cols);
    const cpu::DenseCuts cuts(rows, stride);
    const std::int64_t workspace = threads_ * (2 * cuts.block * stride + 4 * stride);
    return block_bytes(rows * stride) + block_bytes(6 * stride) + block_bytes(workspace) +
           static_cast<std::int64_t>(sizeof(double)) * 2 * cuts.stretches * stride;
  }

  OpRooms propagate(const Interactions& /*graph*/, Side /*to*/,
                    std::int64_t /*cols*/) const override {
    return {};
  }
  OpRooms dense_forward(std::int64_t /*rows*/, std::int64_t /*cols*/) const override { return {}; }

  // dense_gradients.cpp: a gradient of the weights for every stretch but the first, in the state.
  OpRooms dense_backward(const DenseState& state, const DenseLayer& layer,
                         const DenseGradients& gradients) const override {
    const std::int64_t stride = cpu::padded(state.cols());
    const cpu::DenseCuts cuts(state.rows(), stride);
    std::int64_t rows = 0;
    const auto add = [&](const DenseSum& sum, const DenseSumGradients& wanted) {
      for (std::size_t t = 0; t < wanted.terms.size(); ++t) {
        if (wanted.terms[t].weight != nullptr) rows += sum.terms[t].weight->rows();
      }
    };
    add(layer.inner, gradients.inner);
    add(layer.outer, gradients.outer);
    const std::int64_t size = rows * stride * std::max<std::int64_t>(0, cuts.stretches - 1);
    const auto place = reinterpret_cast<std::uintptr_t>(state.storage());
    return {{"weights of " + std::to_string(place), block_bytes(size), true}};
  }

  // score_topk.cpp: for each thread the block's queries, a tile of scores, the heaps.
  OpRooms score_topk(std::int64_t queries, std::int64_t cols, std::int64_t /*items*/,
                     std::int64_t k) const override {
    constexpr std::int64_t kQueries = 64;
    constexpr std::int64_t kTile = 1024;
    const std::int64_t block = kQueries * (cpu::padded(cols) + kTile) * kFloat + kQueries * 16 * k;
    return {{"ranking", threads_ * block + queries * k * (kId + kFloat), false}};
  }

  // embedding_statistics.cpp: moments of every stretch, and for each thread those of a tile and its
  // rows in f64.
  OpRooms embedding_statistics(std::int64_t rows, std::int64_t cols) const override {
    constexpr std::int64_t kStretches = 16;
    constexpr std::int64_t kTile = 512;
    const std::int64_t moments = 3 * cols + cols * cols;
    const std::int64_t size =
        kStretches * moments + threads_ * (moments + std::min(rows, kTile) * cols);
    return {{"statistics", static_cast<std::int64_t>(sizeof(double)) * size, false}};
  }

 private:
  std::int64_t threads_;
};

}  // namespace

std::unique_ptr<MemoryModel> make_cpu_memory_model(int threads) {
  return std::make_unique<CpuMemoryModel>(threads);
}

}  // namespace tern
