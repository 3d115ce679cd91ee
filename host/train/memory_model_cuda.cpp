// What the CUDA backend allocates on the device: each formula follows the file of cuda/ that it
// names, and shares its cuts. Only headers without CUDA are read here: a program that was built
// without a toolkit can say what a GPU would have to hold.

#include <algorithm>
#include <limits>
#include <memory>

#include "cuda/ops/embedding_statistics.hpp"
#include "cuda/ops/linear_relu_batchnorm.hpp"
#include "cuda/ops/next_batch_plan.hpp"
#include "cuda/ops/propagate.hpp"
#include "cuda/ops/score_topk.hpp"
#include "host/train/memory_model.hpp"

namespace tern {
namespace {

constexpr std::int64_t kFloat = sizeof(float);
constexpr std::int64_t kDouble = sizeof(double);
constexpr std::int64_t kId = sizeof(NodeId);
constexpr std::int64_t kOffset = sizeof(EdgeOffset);
/// What cuBLAS and cuBLASLt work in (cuda/ops/score_topk.cu, cuda/support/matmul.cu).
constexpr std::int64_t kLibraryBytes = std::int64_t{32} << 20;
/// The most rows of a product (cuda/support/matmul.hpp).
constexpr std::int64_t kMaxRows = std::int64_t{1} << 20;
/// What a radix sort of CUB's takes beside the arrays: a few counters for each of its blocks.
constexpr std::int64_t kSortBytes = std::int64_t{1} << 20;

constexpr std::int64_t padded(std::int64_t cols) {
  return (cols + 3) / 4 * 4;  // cuda/storage.hpp
}

/// Slots that the rows of several segments take in cuda/ops/propagate.cu.
std::int64_t split_slots(const std::vector<std::int64_t>& degrees) {
  std::int64_t slots = 0;
  for (const std::int64_t degree : degrees) {
    if (degree > cuda::kSegment) slots += (degree - 1) / cuda::kSegment + 1;
  }
  return slots;
}

std::vector<std::int64_t> degrees_of(const Interactions& graph, Side side) {
  std::vector<std::int64_t> degrees(
      static_cast<std::size_t>(side == Side::kUser ? graph.num_users() : graph.num_items()));
  if (side == Side::kUser) {
    for (NodeId user = 0; user < graph.num_users(); ++user) {
      degrees[static_cast<std::size_t>(user)] = static_cast<std::int64_t>(graph.row(user).size());
    }
  } else {
    for (const NodeId item : graph.items()) ++degrees[static_cast<std::size_t>(item)];
  }
  return degrees;
}

class CudaMemoryModel final : public MemoryModel {
 public:
  CudaMemoryModel(const MemoryTarget& target, Reproducibility reproducibility)
      : target_(target), fused_(reproducibility == Reproducibility::kNone) {}

  std::int64_t matrix(std::int64_t rows, std::int64_t cols) const override {
    return rows * padded(cols) * kFloat;
  }

  // make_graph.cu: offsets, columns, scales; heavy rows; to sort, two arrays and what sorting takes.
  Footprint graph(const Interactions& graph) const override {
    Footprint footprint;
    for (const Side side : {Side::kUser, Side::kItem}) {
      const std::vector<std::int64_t> degrees = degrees_of(graph, side);
      const auto rows = static_cast<std::int64_t>(degrees.size());
      footprint.lasting += kOffset * (rows + 1) + kId * graph.size() + kFloat * rows;
      for (const std::int64_t degree : degrees) {
        if (degree <= cuda::kHeavyDegree) continue;
        const std::int64_t segments = (degree - 1) / cuda::kSegment + 1;
        footprint.lasting += segments * static_cast<std::int64_t>(sizeof(cuda::HeavySegment));
        if (segments > 1) footprint.lasting += static_cast<std::int64_t>(sizeof(cuda::SplitRow));
      }
    }
    footprint.passing = 4 * kId * graph.size() + kSortBytes;
    return footprint;
  }

  // sample.cu: a window of batches, its plan, and what planning takes.
  Footprint triplets(const TripletSizes& sizes, const SamplingOptions& options) const override {
    const std::int64_t batch = sizes.batch_size;
    const std::int64_t all = sizes.size == 0 ? 0 : (sizes.size - 1) / batch + 1;
    constexpr std::int64_t kShare = 16;
    const std::int64_t plan = target_.device_bytes > 0 ? target_.device_bytes / kShare
                                                       : std::numeric_limits<std::int64_t>::max();
    const std::int64_t batches = fused_ || batch == 0 ? 1 : cuda::window_batches(all, batch, plan);
    const std::int64_t window = batches * batch;
    std::int64_t bytes = sizes.participants * (kId + kOffset);
    if (options.negatives == NegativeSampling::kPopularity) {
      bytes += sizes.items * (kId + static_cast<std::int64_t>(sizeof(std::uint32_t)));
    }
    bytes += window * static_cast<std::int64_t>(sizeof(Triplet)) + batch * kFloat;
    std::int64_t rows = 0;
    for (const std::int64_t each : {1, 2}) {
      const std::int64_t nodes = each == 1 ? sizes.users : sizes.items;
      bytes += (nodes + 3) / 4 * 4 + each * window * kId;
      if (!fused_) bytes += (2 * each * window + batches + 2) * kId;
      rows += std::min(nodes, each * batch);
    }
    bytes += std::max(3 * batch, rows) * kDouble;
    // Two keys of 8 bytes, two lists of 4; a sort takes as much as keys and values at the most.
    if (!fused_) bytes += 2 * window * (24 + 12) + kSortBytes;
    return {.lasting = bytes + 512};
  }

  std::int64_t dense_state(std::int64_t rows, std::int64_t cols) const override {
    return (rows + 2) * padded(cols) * kFloat;
  }

  // propagate.cu: partial sums of the rows that several blocks share.
  OpRooms propagate(const Interactions& graph, Side to, std::int64_t cols) const override {
    const std::int64_t slots = split_slots(degrees_of(graph, to));
    const auto place = reinterpret_cast<std::uintptr_t>(&graph);
    return {{"partials of " + std::to_string(place) + (to == Side::kUser ? "u" : "i"),
             slots * padded(cols) * kFloat, true}};
  }

  // linear_relu_batchnorm.cu
  OpRooms dense_forward(std::int64_t rows, std::int64_t cols) const override {
    const cuda::DenseRows cuts = cuda::cut_dense_rows(rows, padded(cols));
    return {{"cuBLASLt", kLibraryBytes, true},
            {"dense partials", cuda::dense_partials_size(cuts) * kFloat, true}};
  }
  OpRooms dense_backward(const DenseState& state, const DenseLayer& layer,
                         const DenseGradients& gradients) const override {
    const std::int64_t stride = padded(state.cols());
    OpRooms rooms = dense_forward(state.rows(), state.cols());
    rooms.push_back({"dense columns", 2 * stride * kFloat, true});
    rooms.push_back({"dense inner", state.rows() * stride * kFloat, true});
    rooms.push_back({"dense outer", state.rows() * stride * kFloat, true});
    const auto add = [&](const DenseSum& sum, const DenseSumGradients& wanted) {
      for (std::size_t t = 0; t < wanted.terms.size(); ++t) {
        if (wanted.terms[t].weight == nullptr) continue;
        const std::int64_t inner = sum.terms[t].weight->rows();
        const std::int64_t splits =
            cuda::cut_weight_rows(state.rows(), inner, state.cols(), kMaxRows).splits;
        constexpr std::int64_t kAlignment = 64;
        const std::int64_t step = (inner * stride + kAlignment - 1) / kAlignment * kAlignment;
        if (splits > 1) rooms.push_back({"dense products", splits * step * kFloat, true});
      }
    };
    add(layer.inner, gradients.inner);
    add(layer.outer, gradients.outer);
    return rooms;
  }

  // score_topk.cu
  OpRooms score_topk(std::int64_t queries, std::int64_t cols, std::int64_t items,
                     std::int64_t k) const override {
    if (queries == 0 || items == 0) return {};
    constexpr std::int64_t kResults = std::int64_t{64} << 20;
    const std::int64_t stride = padded(items);
    const cuda::QueryCuts cuts = cuda::cut_queries(
        queries, stride, k, {.scores = target_.cache_bytes / 2, .results = kResults});
    std::int64_t bytes = kLibraryBytes + queries * kId + cuts.block * padded(cols) * kFloat +
                         cuts.block * stride * kFloat + cuts.chunk * k * (kId + kFloat);
    if (k > cuda::kMaxSelected) {
      bytes += 4 * static_cast<std::int64_t>(
                       cuda::select_key_bytes(cuts.block, static_cast<NodeId>(items)));
    }
    return {{"ranking", bytes, true}};
  }
  OpRooms embedding_statistics(std::int64_t rows, std::int64_t cols) const override {
    if (rows == 0 || cols == 0) return {};
    const cuda::StatisticsCuts cuts = cuda::cut_statistics(rows, cols);
    const std::int64_t moments = cuts.stretches * 3 * cols + cuts.splits * cols * cols;
    return {
        {"statistics",
         moments * kDouble + cuts.stretches * static_cast<std::int64_t>(sizeof(cuda::RowFigures)),
         false}};
  }

 private:
  MemoryTarget target_;
  bool fused_;
};

}  // namespace

std::unique_ptr<MemoryModel> make_cuda_memory_model(const MemoryTarget& target,
                                                    Reproducibility reproducibility) {
  return std::make_unique<CudaMemoryModel>(target, reproducibility);
}

}  // namespace tern
