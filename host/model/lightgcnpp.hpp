#pragma once

#include <array>
#include <string_view>
#include <vector>

#include "host/model/embedding_tables.hpp"
#include "tern/model.hpp"

namespace tern {

/// LightGCN++: with Ê the rows of E divided by their lengths, and d the degrees,
///   E^l = D^-α A D^-β Ê^{l-1},  final = γ E⁰ + (1-γ)/L Σ_{l=1..L} E^l,
/// a node of degree 0 having scale 0. A node's sum is scaled by its own degree to the power -α, each
/// term of the sum by the neighbour's degree to the power -β. With g the gradient of final, J(x) the
/// Jacobian of x̂ and c = (1-γ)/L:
///   G_L = c g,  G_{l-1} = J(E^{l-1})ᵀ D^-β A D^-α G_l + c g, at l = 1 with γ instead of c;
/// G_0 is the gradient of E⁰. No layer is linear in E⁰, so there is no Horner's rule as in LightGcn: every
/// layer but the last is kept for J.
///
/// Exact savings, as in LightGcn: the last layer is computed, and layers are summed, only at the batch's
/// rows; backward() begins with the edges of the batch's rows.
///
/// Memory: (L + 4) N D + 2 N numbers: E⁰, the gradient of the final embeddings, these, layers 1 to L-1,
/// the unit rows of a layer, and the sum of the layers so far; the last two serve backward() in turn.
/// Without triplets layers share one table.
/// Source: Lee, Kim and Shin 2024, "Revisiting LightGCN: Unexpected Inflexibility, Inconsistency, and A
/// Remedy Towards Improved Recommendation".
class LightGcnPlusPlus final : public Model {
 public:
  /// Throws ConfigError if a scale d^-α or d^-β is too large or too small for f32.
  LightGcnPlusPlus(Backend& backend, const Graph& graph, const Triplets& triplets,
                   const ModelOptions& options);

  std::string_view name() const override { return "lightgcn++"; }
  std::vector<Parameter>& parameters() override { return parameters_; }
  void initialize(Seed seed) override;

  void forward() override;
  void backward() override;
  void embed() override;

  const Matrix& embeddings(Side side) const override { return finals_[side]; }
  Matrix& embedding_gradient(Side side) override { return gradients_[side]; }
  PenaltyTarget penalty_target() const override { return PenaltyTarget::kLayer0; }
  const Matrix& penalized(Side side) const override { return tables_[side]; }
  Matrix& penalized_gradient(Side side) override { return units_[side]; }

  /// Σ_{l<L} Ê^l of a side's nodes, row-major, in f64 on the host: what one more node of the other side
  /// would sum over its neighbours. Overwrites embeddings().
  std::vector<double> sum_of_units(Side side);

 private:
  enum class Rows : bool { kBatch, kAll };
  void add_units(int layer, Rows rows);
  void propagate_layer(int layer, Rows rows);
  SidePair& hidden(int layer);
  /// (1-γ)/L, the weight of a layer in the final embeddings.
  double mean_weight() const { return (1.0 - options_.propagation.gamma) / options_.layers; }

  Backend& backend_;
  const Graph& graph_;
  const Triplets& triplets_;
  ModelOptions options_;
  std::array<Matrix, 2> to_scales_;    // by Side: d^-α
  std::array<Matrix, 2> from_scales_;  // by Side: d^-β
  SidePair tables_;                    // E⁰
  SidePair finals_;
  SidePair gradients_;            // of the final embeddings, at the batch's rows
  SidePair units_;                // Ê of the layer to propagate; at the end of backward(): G_0
  SidePair sums_;                 // the layers so far, divided by mean_weight()
  std::vector<SidePair> hidden_;  // layers 1 to L-1
  std::vector<Parameter> parameters_;
};

}  // namespace tern
