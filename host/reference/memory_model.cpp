// What the reference backend allocates: f64 throughout, triplets of a whole epoch.

#include "host/train/memory_model.hpp"

namespace tern {
namespace {

constexpr std::int64_t kDouble = sizeof(double);
constexpr std::int64_t kId = sizeof(NodeId);
constexpr std::int64_t kOffset = sizeof(EdgeOffset);

class ReferenceMemoryModel final : public MemoryModel {
 public:
  std::int64_t matrix(std::int64_t rows, std::int64_t cols) const override {
    return rows * cols * kDouble;
  }
  Footprint graph(const Interactions& graph) const override {
    const std::int64_t nodes = std::int64_t{graph.num_users()} + graph.num_items();
    // Scales grow by doubling.
    return {.lasting = (kOffset + 2 * kDouble) * nodes + 2 * kId * graph.size()};
  }
  Footprint triplets(const TripletSizes& sizes, const SamplingOptions& /*options*/) const override {
    const auto pair = static_cast<std::int64_t>(sizeof(Interaction));
    const auto triplet = static_cast<std::int64_t>(sizeof(Triplet));
    return {.lasting = kOffset * sizes.users + kId * sizes.interactions + 2 * kId * sizes.users +
                       2 * pair * sizes.interactions + triplet * sizes.size};
  }
  std::int64_t dense_state(std::int64_t rows, std::int64_t cols) const override {
    return 2 * (rows + 1) * cols * kDouble;
  }
  OpRooms propagate(const Interactions& /*graph*/, Side /*to*/,
                    std::int64_t /*cols*/) const override {
    return {};
  }
  OpRooms dense_forward(std::int64_t rows, std::int64_t cols) const override {
    return {{"dense layer", 3 * rows * cols * kDouble, false}};
  }
  OpRooms dense_backward(const DenseState& state, const DenseLayer& /*layer*/,
                         const DenseGradients& /*gradients*/) const override {
    return dense_forward(state.rows(), state.cols());
  }
  OpRooms score_topk(std::int64_t queries, std::int64_t /*cols*/, std::int64_t items,
                     std::int64_t k) const override {
    return {{"ranking", queries * k * (kId + kDouble) + 2 * items * kDouble, false}};
  }
  OpRooms embedding_statistics(std::int64_t /*rows*/, std::int64_t cols) const override {
    return {{"statistics", (3 + cols) * cols * kDouble, false}};
  }
};

}  // namespace

std::unique_ptr<MemoryModel> make_reference_memory_model() {
  return std::make_unique<ReferenceMemoryModel>();
}

}  // namespace tern
