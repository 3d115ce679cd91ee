#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tern/backend.hpp"
#include "tern/batch.hpp"
#include "tern/config.hpp"
#include "tern/expression.hpp"
#include "tern/model.hpp"

namespace tern {

/// The quantity that training minimises. It calls the model's backward pass itself, so that a
/// trainer need not know its parts (such as a penalty) or their order. A loss of pairs and their negatives
/// needs no class of its own: make_expression_loss().
class Loss {
 public:
  /// Rows of `losses`: the loss proper and the penalty. A model with a contrast adds one row for each
  /// side (loss_terms()).
  static constexpr std::int64_t kTerms = 2;

  virtual ~Loss() = default;

  /// "bpr", "softmax", "directau", "ccl", "sl@k".
  virtual std::string_view name() const = 0;
  /// False: backward() does more than a recorded step may, such as a loop over downloaded embeddings. The
  /// trainer then calls every step, on every backend, which is slower, but enough to try a loss.
  virtual bool is_recorded() const { return true; }
  /// The state of the loss, a part of checkpoints. It is 0 at the start, and after a resume between epochs
  /// from a checkpoint of another loss. The names begin with "loss.".
  virtual std::vector<NamedBuffer> buffers() { return {}; }
  /// Called once by a trainer, before it records the step: the place to allocate what backward() needs, since
  /// a recorded step goes on using the matrices that it was recorded with.
  virtual void prepare(Model& /*model*/) {}
  /// Called before the first step of every epoch, from 1, not if training goes on within an epoch. It
  /// may wait, and overwrite the model's embeddings. If that takes long, it calls should_stop()
  /// (unless it is empty) now and then, and throws Interrupted if it returns true, with its buffers
  /// unchanged: the same call can be made again.
  virtual void begin_epoch(Model& /*model*/, int /*epoch*/,
                           const std::function<bool()>& /*should_stop*/) {}

  /// Computes, from the final embeddings of the batch (after forward()), its loss and the
  /// gradients of all parameters: it writes the loss into the batch's column of losses,
  /// (loss_terms(model), num_batches), fills model.embedding_gradient() at the batch's rows, and calls
  /// model.backward(). It is part of a recorded step: see Backend::record() for the calls that throw there.
  /// It may call ops, and read in the batch what holds for every batch of the epoch: triplets(),
  /// capacity(), rows().
  virtual void backward(Model& model, Batch& batch, Matrix& losses) = 0;
};

/// Options of make_expression_loss().
struct ExpressionLossOptions {
  /// kCosine: scores are cosines of final embeddings.
  PairSimilarity similarity = PairSimilarity::kDot;
  double l2 = 0.0;  // λ of the penalty
};

/// The loss 1/P Σ f(s⁺, s_1..s_M) over the P pairs of a batch, f the expression, by
/// Backend::sampled_contrast, and λ/(2P) Σ (‖e_u‖² + ‖e_p‖² + 1/M Σ_k ‖e_k‖²) over the rows that
/// Model::penalized names. name: of its column in metrics, such as "hinge". M is
/// sampling.negatives_per_positive, at least 1, and train.batch_size, which counts triplets, is a multiple
/// of M (ShapeError in the first step otherwise). Throws ConfigError as Expression::compile() does, and
/// on λ below 0.
std::unique_ptr<Loss> make_expression_loss(Backend& backend, std::string name,
                                           const Expression& expression,
                                           const ExpressionLossOptions& options = {});

/// The rows of `losses` for a model: Loss::kTerms, and two more if it has a contrast.
std::int64_t loss_terms(const Model& model);

/// l2: λ of the penalty; num_users: of the graph. Throws ConfigError on options out of range.
std::unique_ptr<Loss> make_loss(Backend& backend, const LossOptions& options, double l2,
                                NodeId num_users);

}  // namespace tern
