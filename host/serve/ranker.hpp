#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "host/serve/ranking_source.hpp"
#include "host/train/item_scorer.hpp"
#include "tern/backend.hpp"
#include "tern/interactions.hpp"

namespace tern {

/// A table of embeddings to rank for: on the backend, and on the host with width() columns.
struct QueryTable {
  const Matrix* matrix = nullptr;
  std::span<const float> rows;
};

/// Ranks some nodes of one side, the candidates, for queries. A list is ordered by the printed scores,
/// ties by ascending id.
class Ranker {
 public:
  virtual ~Ranker() = default;
  /// Leaves out, for query q, what it has in these, which must outlive the ranker. (queries, nodes of
  /// the side).
  virtual void leave_out(const Interactions& observed) = 0;
  virtual std::vector<RankedList> rank(std::span<const NodeId> queries) const = 0;
};

/// By the run's evaluation.score of a row of the table. The backend selects the best by its scores;
/// the printed ones are those of host/serve/scores.hpp.
class EmbeddingRanker final : public Ranker {
 public:
  /// candidates: ascending ids, at least one. length: of the lists, at least 1; lists are shorter if
  /// there are fewer candidates.
  EmbeddingRanker(RankingSource& source, Side side, QueryTable table,
                  std::vector<NodeId> candidates, std::int64_t length);

  void leave_out(const Interactions& observed) override;
  std::vector<RankedList> rank(std::span<const NodeId> queries) const override;

 private:
  RankedList list_of(std::span<const float> query, std::span<const NodeId> places) const;

  RankingSource& source_;
  QueryTable table_;
  std::vector<NodeId> candidates_;
  std::int64_t length_;
  ScoreKind score_;
  bool all_ = false;  // whether the candidates are all nodes of the side
  HostTable rows_;    // embeddings of the whole side, on the host
  Matrix own_;        // those of the candidates, on the backend, unless they are the run's
  const Matrix* matrix_ = nullptr;
  std::vector<Graph> observed_;
};

/// Ranks items by the scores of histories: row q of them is query q. The printed scores are these,
/// rounded to f32.
class HistoryRanker final : public Ranker {
 public:
  /// scorer and histories must outlive it. candidates and length: as above.
  HistoryRanker(const ItemScorer& scorer, const Interactions& histories,
                std::vector<NodeId> candidates, std::int64_t length);

  void leave_out(const Interactions& observed) override { observed_.push_back(&observed); }
  std::vector<RankedList> rank(std::span<const NodeId> queries) const override;

 private:
  const ItemScorer& scorer_;
  const Interactions& histories_;
  std::vector<NodeId> candidates_;
  std::int64_t length_;
  std::vector<const Interactions*> observed_;
};

}  // namespace tern
