#pragma once

#include "tern/backend.hpp"
#include "tern/model.hpp"

namespace tern {

/// What training makes small. One object, so that a trainer knows neither what it is made of nor in
/// which order its parts meet the model's backward pass.
class Loss {
 public:
  /// Rows of `losses`: the loss proper, and the penalty.
  static constexpr std::int64_t kTerms = 2;

  virtual ~Loss() = default;

  /// From final embeddings of the current batch (after forward()) to its loss in column `current
  /// batch` of losses, (kTerms, num_batches), and to the gradients of all parameters: it fills
  /// model.embedding_gradient() at the batch's rows and calls model.backward(). A step op: to be
  /// recorded on a GPU it must not allocate, download or wait.
  virtual void backward(Model& model, Triplets& triplets, Matrix& losses) = 0;
};

}  // namespace tern
