#pragma once

#include <cstdint>
#include <span>
#include <utility>
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

/// A table on the host, (nodes, D) row-major: a view of numbers that outlive it, or its own.
class HostTable {
 public:
  explicit HostTable(std::span<const float> values) : values_(values) {}
  explicit HostTable(std::vector<float>&& values) : own_(std::move(values)), values_(own_) {}
  HostTable(HostTable&&) = default;  // a moved vector keeps its elements where they are
  HostTable& operator=(HostTable&&) = default;
  HostTable(const HostTable&) = delete;
  HostTable& operator=(const HostTable&) = delete;
  ~HostTable() = default;

  std::span<const float> values() const { return values_; }
  /// The numbers, copied only if they are not its own.
  std::vector<float> take() && {
    return own_.empty() ? std::vector<float>(values_.begin(), values_.end()) : std::move(own_);
  }

 private:
  std::vector<float> own_;
  std::span<const float> values_;
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
  /// The same on the host. A view, if the source holds it there in f32: valid as long as the source.
  virtual HostTable host_table(Side side) = 0;
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
