#include "host/loss/expression_loss.hpp"

#include <fmt/format.h>

#include <cmath>
#include <utility>

#include "host/loss/penalty.hpp"
#include "tern/error.hpp"

namespace tern {

ExpressionLoss::ExpressionLoss(Backend& backend, std::string name, const Expression& expression,
                               const ExpressionLossOptions& options)
    : backend_(backend), name_(std::move(name)), program_(expression.compile()), options_(options) {
  if (!(options.l2 >= 0.0) || std::isinf(options.l2)) {
    throw ConfigError(
        fmt::format("l2 of the loss {} is {}, expected a number from 0", name_, options.l2));
  }
}

void ExpressionLoss::backward(Model& model, Batch& batch, Matrix& losses) {
  backend_.sampled_contrast(batch.triplets(),
                            {.kind = SampledContrastKind::kExpression,
                             .program = &program_,
                             .similarity = options_.similarity},
                            model.embeddings(Side::kUser), model.embeddings(Side::kItem),
                            model.embedding_gradient(Side::kUser),
                            model.embedding_gradient(Side::kItem), losses);
  backward_with_penalty(backend_, options_.l2, model, batch, losses);
}

std::unique_ptr<Loss> make_expression_loss(Backend& backend, std::string name,
                                           const Expression& expression,
                                           const ExpressionLossOptions& options) {
  return std::make_unique<ExpressionLoss>(backend, std::move(name), expression, options);
}

}  // namespace tern
