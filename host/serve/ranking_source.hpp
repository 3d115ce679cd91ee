#pragma once

#include <cstdint>
#include <vector>

#include "host/train/item_scorer.hpp"
#include "tern/backend.hpp"
#include "tern/config.hpp"
#include "tern/dataset.hpp"
#include "tern/tensor_file.hpp"
#include "tern/types.hpp"
#include "tern/vocabulary.hpp"

namespace tern {

/// Nodes with their scores, best first.
struct RankedList {
  std::vector<NodeId> ids;
  std::vector<float> scores;
};

/// The model and the data that rankings are made from. A member may load or compute what it returns when
/// it is first called.
class RankingSource {
 public:
  virtual ~RankingSource() = default;

  /// Whether the model was fitted without training. It has a scorer instead of embeddings.
  virtual bool is_fitted() const = 0;
  virtual const ItemScorer& scorer() = 0;
  virtual ScoreKind score_kind() const = 0;
  virtual const Config& config() const = 0;

  virtual const Vocabulary& names(Side side) = 0;
  /// Its features are not needed.
  virtual const Dataset& data() = 0;
  /// Whether the model reads features of the nodes of this side, so that it can place those that have
  /// no interactions.
  virtual bool reads_features_of(Side side) = 0;

  virtual Backend& backend() = 0;
  /// Final embeddings on the backend.
  virtual const Matrix& embeddings(Side side) = 0;
  /// The same on the host, (nodes, D) row-major.
  virtual std::vector<float> download(Side side) = 0;
  /// D.
  virtual std::int64_t width() = 0;

  /// The graph of training, on the backend.
  virtual const Graph& train_graph() = 0;
  /// The parameters that the embeddings are computed from. Throws DataError or ConfigError if they cannot be had.
  virtual TensorFile parameters() = 0;

 protected:
  RankingSource() = default;
  RankingSource(const RankingSource&) = default;
  RankingSource(RankingSource&&) = default;
  RankingSource& operator=(const RankingSource&) = default;
  RankingSource& operator=(RankingSource&&) = default;
};

}  // namespace tern
