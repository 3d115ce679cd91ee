#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tern/backend.hpp"
#include "tern/config.hpp"

namespace tern {

/// A trainable matrix, its gradient, and where that gradient may be nonzero.
struct Parameter {
  std::string name;  // as in checkpoints: "user_embedding"
  Matrix* value = nullptr;
  Matrix* gradient = nullptr;
  /// Null: the gradient is dense. Else only these rows of it are meant.
  const RowSet* rows = nullptr;
};

/// An encoder: parameters to final embeddings of users and items. Written over the seam alone.
/// A step is forward(), a loss that fills embedding_gradient(side) at the batch's rows, backward().
class Model {
 public:
  virtual ~Model() = default;

  /// "lightgcn", "mf".
  virtual std::string_view name() const = 0;
  virtual std::vector<Parameter>& parameters() = 0;
  /// Draws every parameter anew from the seed.
  virtual void initialize(Seed seed) = 0;

  /// Final embeddings of the rows of the current batch.
  virtual void forward() = 0;
  /// From the embedding gradients at the batch's rows to the gradients of the parameters.
  virtual void backward() = 0;
  /// Final embeddings of every node.
  virtual void embed() = 0;

  /// (nodes, D), as the last forward() or embed() left them; backward() may overwrite them.
  virtual const Matrix& embeddings(Side side) const = 0;
  virtual Matrix& embedding_gradient(Side side) = 0;
  /// The layer-0 rows that the L2 penalty falls on, and the gradient that it is added to after
  /// backward().
  virtual const Matrix& layer0(Side side) const = 0;
  virtual Matrix& layer0_gradient(Side side) = 0;
};

/// graph and triplets must outlive the model. Empty triplets make a model that can only be
/// initialised, loaded and asked to embed(), and that has no room for gradients.
/// Throws ConfigError on options out of range.
std::unique_ptr<Model> make_model(Backend& backend, const Graph& graph, const Triplets& triplets,
                                  const ModelOptions& options);

}  // namespace tern
