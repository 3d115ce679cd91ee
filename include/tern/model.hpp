#pragma once

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tern/backend.hpp"
#include "tern/config.hpp"
#include "tern/feature_encoding.hpp"

namespace tern {

/// A trainable matrix, its gradient, and the rows in which that gradient may be nonzero.
struct Parameter {
  std::string name;  // as in checkpoints: "user_embedding"
  Side side = Side::kUser;
  Matrix* value = nullptr;
  Matrix* gradient = nullptr;
  /// Null: the gradient is dense. Else only these rows of it are valid, and all others count as 0; in a
  /// step, only these rows of the value are read.
  const RowSet* rows = nullptr;
};

/// A matrix that belongs to a model's state but is not trained, such as running statistics.
struct NamedBuffer {
  std::string name;  // as in checkpoints
  Matrix* value = nullptr;
};

/// A count that belongs to a model's state, such as the number of dropout steps so far.
struct NamedCounter {
  std::string name;  // as in checkpoints
  Counter* value = nullptr;
};

/// The rows that the L2 penalty applies to.
enum class PenaltyTarget : std::uint8_t {
  kLayer0,  // the learned embeddings that a model starts from: added after backward()
  kFinal,   // the final embeddings: added before backward(), which carries it to the parameters
};

/// A second loss that a model asks for: Backend::info_nce on each side between the final embeddings
/// and another view of the batch's rows.
struct Contrast {
  InfoNceOptions options;
  /// By Side: (nodes, D), valid at the batch's rows after forward(), until backward().
  std::array<const Matrix*, 2> views{};
  /// By Side: the gradients of the views, 0 after forward(); a loss adds to the batch's rows.
  std::array<Matrix*, 2> gradients{};
};

/// An encoder: parameters to final embeddings of users and items. Written over the seam alone.
/// A step is forward(), a loss that fills embedding_gradient(side) at the batch's rows, backward().
class Model {
 public:
  virtual ~Model() = default;

  /// "lightgcn", "xsimgcl" (lightgcn with contrast.kind = xsimgcl), "mf", "gcmc".
  virtual std::string_view name() const = 0;
  virtual std::vector<Parameter>& parameters() = 0;
  virtual std::vector<NamedBuffer> buffers() { return {}; }
  virtual std::vector<NamedCounter> counters() { return {}; }
  /// Draws every parameter anew from the seed, and resets buffers and counters.
  virtual void initialize(Seed seed) = 0;

  /// Final embeddings of the rows of the current batch. As backward(), a part of a recorded step:
  /// Backend::record() lists the calls that throw there.
  virtual void forward() = 0;
  /// From the embedding gradients at the batch's rows to the gradients of the parameters.
  virtual void backward() = 0;
  /// Final embeddings of every node.
  virtual void embed() = 0;

  /// (nodes, D), as the last forward() or embed() left them; backward() may overwrite them.
  virtual const Matrix& embeddings(Side side) const = 0;
  virtual Matrix& embedding_gradient(Side side) = 0;
  virtual PenaltyTarget penalty_target() const = 0;
  /// The rows that the L2 penalty applies to, and the gradient that it is added to.
  virtual const Matrix& penalized(Side side) const = 0;
  virtual Matrix& penalized_gradient(Side side) = 0;
  /// Null: the model has no second loss.
  virtual const Contrast* contrast() const { return nullptr; }
};

/// Makes a model of one's own over a graph, which outlives the model, as do the triplets of the current epoch.
/// Its caller then calls initialize().
using ModelFactory = std::function<std::unique_ptr<Model>(Backend& backend, const Graph& graph,
                                                          const Triplets& triplets)>;

/// Whether a model with these options reads features, if the data has some.
bool reads_features(const ModelOptions& options);
/// kRead if the model reads features.
FeatureFiles feature_files_for(const ModelOptions& options);
/// The features of a data set that a model with these options reads.
EncodedDataset features_for(const Dataset& data, const ModelOptions& options);

/// graph and triplets must outlive the model. With empty triplets the model has no gradients, and
/// can only initialize(), embed() and have its parameters loaded. Features are read while the model
/// is made, and have a row for every node.
/// Throws ConfigError on options out of range, on features that are missing or on a model that
/// is_fitted() and has no embeddings, ShapeError on features of another number of nodes.
std::unique_ptr<Model> make_model(Backend& backend, const Graph& graph, const Triplets& triplets,
                                  const ModelOptions& options, const NodeFeatures& features = {});

}  // namespace tern
