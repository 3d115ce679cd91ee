#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "host/serve/ranking_source.hpp"
#include "host/serve/user_lists.hpp"
#include "tern/recommender.hpp"

namespace tern {

/// Throws ConfigError on a length of lists below 1.
void check_n(std::int64_t n);
/// 0, 1, ..., size - 1.
std::vector<NodeId> all_ids(NodeId size);

struct Recommender::Impl final : RankingSource {
  bool is_fitted() const override { return scorer_ != nullptr; }
  const ItemScorer& scorer() override { return *scorer_; }
  ScoreKind score_kind() const override { return config_.evaluation.score; }
  const Config& config() const override { return config_; }
  const Vocabulary& names(Side side) override {
    return side == Side::kUser ? data_.users : data_.items;
  }
  const Dataset& data() override { return data_; }
  bool reads_features_of(Side side) override {
    const auto& features = side == Side::kUser ? data_.user_features : data_.item_features;
    return reads_features(config_.model) && features.has_value();
  }
  Backend& backend() override { return *backend_; }
  const Matrix& embeddings(Side side) override;
  HostTable host_table(Side side) override;
  std::int64_t width() override { return embeddings_.users.shape[1]; }
  const Graph& train_graph() override;
  TensorFile parameters() override;

  /// The node of an id. Throws DataError with similar ones.
  NodeId find(Side side, std::string_view id);
  std::vector<NodeId> find_all(Side side, const std::vector<std::string>& ids);
  /// The items that may be listed, ascending.
  std::vector<NodeId> candidates(const RecommendOptions& options);
  std::vector<Recommendations> recommend(const std::vector<NodeId>& users,
                                         const RecommendOptions& options);
  /// The lists of these users of a table, without their items in `observed`.
  std::vector<Recommendations> rank(const UserTable& table, const std::vector<NodeId>& users,
                                    const std::vector<const Interactions*>& observed,
                                    const RecommendOptions& options);
  std::vector<ScoredId> similar(Side side, std::string_view id, std::int64_t n);
  std::vector<ScoredId> named(Side side, const RankedList& list);

  Config config_;
  Dataset data_;
  FinalEmbeddings embeddings_;          // of a trained model
  std::unique_ptr<ItemScorer> scorer_;  // of a fitted one
  std::unique_ptr<Backend> backend_;
  std::array<std::optional<Matrix>, 2> uploaded_;
  std::optional<Graph> train_;
  std::filesystem::path run_;  // the directory that it was loaded from; empty: none
  std::string checkpoint_;     // "best" or "last", the one of the run
};

}  // namespace tern
