#pragma once

#include <string>

#include "tern/loss.hpp"

namespace tern {

/// The loss of make_expression_loss(), by Backend::sampled_contrast with the program of an expression.
class ExpressionLoss final : public Loss {
 public:
  ExpressionLoss(Backend& backend, std::string name, const Expression& expression,
                 const ExpressionLossOptions& options);

  std::string_view name() const override { return name_; }
  void backward(Model& model, Batch& batch, Matrix& losses) override;

 private:
  Backend& backend_;
  std::string name_;
  PairProgram program_;
  ExpressionLossOptions options_;
};

}  // namespace tern
