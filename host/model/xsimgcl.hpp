#pragma once

#include <string_view>
#include <vector>

#include "host/model/embedding_tables.hpp"
#include "tern/model.hpp"

namespace tern {

/// XSimGCL: LightGCN without its layer 0, whose layers are perturbed in training, with a second loss
/// between the final embeddings and those of layer l*:
///   E^l = p_l(Â E^{l-1}),  final = 1/L Σ_{l=1..L} E^l,  view = E^{l*},
/// where p_l adds noise of length ε (Backend::perturb; layer l of side s is place 2 (l-1) + s), anew in
/// every step. embed() has no noise: final = 1/L Σ_{l=1..L} Âˡ E⁰.
///
/// The noise has derivative 1, so that with the gradients g of final and v of view
///   ∂/∂E⁰ = 1/L Σ_{l=1..L} Âˡ g + Â^{l*} v,
/// the first by Horner's rule, the second by l* propagations of its own.
///
/// Exact savings, as in LightGcn: the last layer is computed, and layers are summed, only at the
/// batch's rows; each of the two sums of backward() begins with the edges of the batch's rows.
///
/// Memory: 6 N D numbers (E⁰, two gradients, the final embeddings, two tables that layers use in
/// turn), 7 if two layers or more follow the view.
/// Source: Yu et al. 2023, "XSimGCL: Towards Extremely Simple Graph Contrastive Learning for
/// Recommendation".
class XSimGcl final : public Model {
 public:
  XSimGcl(Backend& backend, const Graph& graph, const Triplets& triplets,
          const ModelOptions& options);

  std::string_view name() const override { return "xsimgcl"; }
  std::vector<Parameter>& parameters() override { return parameters_; }
  std::vector<NamedCounter> counters() override { return {{"noise_steps", &steps_}}; }
  void initialize(Seed seed) override;

  void forward() override;
  void backward() override;
  void embed() override;

  const Matrix& embeddings(Side side) const override { return finals_[side]; }
  Matrix& embedding_gradient(Side side) override { return gradients_[side]; }
  PenaltyTarget penalty_target() const override { return PenaltyTarget::kLayer0; }
  const Matrix& penalized(Side side) const override { return tables_[side]; }
  Matrix& penalized_gradient(Side side) override { return turns_[0][side]; }
  const Contrast* contrast() const override {
    return contrast_.views[0] == nullptr ? nullptr : &contrast_;
  }

 private:
  SidePair& layer(int number);
  void perturb(int number);

  Backend& backend_;
  const Graph& graph_;
  const Triplets& triplets_;
  ModelOptions options_;
  Seed seed_{};  // of the noise
  Counter steps_;
  SidePair tables_;          // E⁰
  SidePair finals_;          // in backward(): a table of the view's sum
  SidePair gradients_;       // of the final embeddings, at the batch's rows
  SidePair view_gradients_;  // of the view, at the batch's rows; else 0
  SidePair turns_[2];        // layer l is in l % 2, up to the one after the view
  SidePair spare_;           // of layers beyond, in turn with one of the others
  std::vector<Parameter> parameters_;
  Contrast contrast_;
};

}  // namespace tern
