#pragma once

#include <string_view>
#include <vector>

#include "host/model/embedding_tables.hpp"
#include "tern/model.hpp"

namespace tern {

/// Matrix factorisation: the final embeddings are the parameters, final = E⁰. Gradients exist at
/// the batch's rows only, so that the optimiser may update all other rows later.
/// Memory: 2 N D numbers. Source: Rendle et al. 2009, "BPR", section 4.3.1.
class MatrixFactorization final : public Model {
 public:
  MatrixFactorization(Backend& backend, const Graph& graph, const Triplets& triplets,
                      const ModelOptions& options);

  std::string_view name() const override { return "mf"; }
  std::vector<Parameter>& parameters() override { return parameters_; }
  void initialize(Seed seed) override;

  void forward() override {}
  void backward() override {}
  void embed() override {}

  const Matrix& embeddings(Side side) const override { return tables_[side]; }
  Matrix& embedding_gradient(Side side) override { return gradients_[side]; }
  PenaltyTarget penalty_target() const override { return PenaltyTarget::kLayer0; }
  const Matrix& penalized(Side side) const override { return tables_[side]; }
  Matrix& penalized_gradient(Side side) override { return gradients_[side]; }

 private:
  Backend& backend_;
  ModelOptions options_;
  SidePair tables_;     // E⁰
  SidePair gradients_;  // valid at the batch's rows; empty in a model that only embeds
  std::vector<Parameter> parameters_;
};

}  // namespace tern
