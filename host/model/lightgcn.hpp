#pragma once

#include <string_view>
#include <vector>

#include "host/model/embedding_tables.hpp"
#include "tern/model.hpp"

namespace tern {

/// LightGCN: final = 1/(L+1) Σ_{l=0..L} Âˡ E⁰, by Horner's rule: t_0 = E⁰, t_l = Â t_{l-1} + E⁰,
/// final = t_L / (L+1), so that no sum of layers is kept and every step is one fused op.
/// Â is symmetric: the gradient of E⁰ is the same polynomial of the gradient of the final
/// embeddings, computed by the same recurrence.
///
/// Exact savings: a step needs the last layer only at the batch's rows, and the gradient that
/// backward() starts from is zero elsewhere; so the last step of forward() and the first step of
/// backward() touch only edges of the batch's rows.
///
/// options.gather is the precision in which layers and their gradients are propagated. The gradient of
/// the final embeddings is propagated unrounded: it has rows of the batch alone, which fit a cache.
///
/// Memory: 4 N D numbers: E⁰, the gradient of the final embeddings, and two tables that all layers
/// of both passes use in turn. backward() therefore overwrites embeddings().
/// Source: He et al. 2020, "LightGCN", eq. 7 and 8, with α_l = 1/(L+1).
class LightGcn final : public Model {
 public:
  LightGcn(Backend& backend, const Graph& graph, const Triplets& triplets,
           const ModelOptions& options);

  std::string_view name() const override { return "lightgcn"; }
  std::vector<Parameter>& parameters() override { return parameters_; }
  void initialize(Seed seed) override;

  void forward() override;
  void backward() override;
  void embed() override;

  const Matrix& embeddings(Side side) const override {
    return options_.layers == 0 ? tables_[side] : turns_[options_.layers % 2][side];
  }
  Matrix& embedding_gradient(Side side) override { return gradients_[side]; }
  PenaltyTarget penalty_target() const override { return PenaltyTarget::kLayer0; }
  const Matrix& penalized(Side side) const override { return tables_[side]; }
  Matrix& penalized_gradient(Side side) override {
    return options_.layers == 0 ? gradients_[side] : turns_[0][side];
  }

 private:
  enum class Rows : bool { kBatch, kAll };
  void propagate_layers(Rows last_layer);

  Backend& backend_;
  const Graph& graph_;
  const Triplets& triplets_;
  ModelOptions options_;
  SidePair tables_;     // E⁰
  SidePair gradients_;  // of the final embeddings, at the batch's rows
  SidePair turns_[2];   // layer l of forward is in l % 2; the last of backward is in 0
  std::vector<Parameter> parameters_;
};

}  // namespace tern
