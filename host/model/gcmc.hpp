#pragma once

#include <array>
#include <memory>
#include <string_view>
#include <vector>

#include "host/model/gcmc_layer.hpp"
#include "tern/model.hpp"

namespace tern {

/// The GC-MC encoder: layers of GcMcLayer over features of the nodes, learned embeddings of their
/// ids, or both; final = z of the last layer. A training step embeds every node, since batch
/// normalisation needs them all; embed() uses running statistics, so that a node's embedding
/// depends only on the node and its neighbours.
///
/// A node without interactions gets no message; its embedding comes from its own input alone. Given
/// features, even a node that was absent from training gets a meaningful embedding.
///
/// Memory: 8 to 13 N C numbers a layer, plus the inputs.
/// Source: van den Berg, Kipf and Welling 2017, "Graph convolutional matrix completion", section
/// 2.3 and 2.4, with one kind of edge and with messages combined by addition.
class GcMc final : public Model {
 public:
  /// features: by side, null if only ids are learned. Throws as make_model() does.
  GcMc(Backend& backend, const Graph& graph, const Triplets& triplets, const ModelOptions& options,
       const NodeFeatures& features);

  std::string_view name() const override { return "gcmc"; }
  std::vector<Parameter>& parameters() override { return trainables_.parameters(); }
  std::vector<NamedBuffer> buffers() override;
  std::vector<NamedCounter> counters() override { return {{"dropout_steps", &steps_}}; }
  void initialize(Seed seed) override;

  void forward() override;
  void backward() override;
  void embed() override;

  const Matrix& embeddings(Side side) const override { return layers_.back()->output(side); }
  Matrix& embedding_gradient(Side side) override { return layers_.back()->gradient(side); }
  PenaltyTarget penalty_target() const override { return PenaltyTarget::kFinal; }
  const Matrix& penalized(Side side) const override { return embeddings(side); }
  Matrix& penalized_gradient(Side side) override { return embedding_gradient(side); }

 private:
  /// The input of one side's nodes.
  struct NodeInput {
    Matrix numbers;
    Graph categories;
    Trainable* ids = nullptr;
  };

  /// The input of the first layer, of `width` columns.
  LayerInput make_input(Side side, const Graph& graph, std::int64_t width,
                        const EncodedFeatures* features);
  GatherPrecision gather_of(const Graph& graph, Side side, const LayerInput& x,
                            std::int64_t learned, std::int64_t width) const;
  GcMcDropout dropout() const;

  Backend& backend_;
  ModelOptions options_;
  Seed seed_{};  // of dropout
  Counter steps_;
  Trainables trainables_;
  std::array<NodeInput, 2> inputs_;
  std::vector<std::unique_ptr<GcMcLayer>> layers_;
};

}  // namespace tern
