#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "host/cli/ranking.hpp"
#include "host/cli/run_options.hpp"
#include "tern/backend.hpp"
#include "tern/interactions.hpp"

namespace tern::cli {

/// A table of embeddings to rank for: on the backend, and on the host with width() columns.
struct QueryTable {
  const Matrix* matrix = nullptr;
  std::span<const float> rows;
};

/// Ranks some nodes of one side, the candidates, by the run's evaluation.score. The backend selects
/// the best by its scores; a list is ordered by the printed scores (host/cli/scores.hpp), ties by
/// ascending id.
class Ranker {
 public:
  /// candidates: ascending ids, at least one. length: of the lists, at least 1; lists are shorter if
  /// there are fewer candidates.
  Ranker(LoadedRun& loaded, Side side, std::vector<NodeId> candidates, std::int64_t length);

  /// Leaves out, for row q of the table of queries, what q has in these. (rows of the table, nodes of
  /// the side).
  void leave_out(const Interactions& observed);

  /// The lists of these rows of the table.
  std::vector<RankedList> rank(const QueryTable& table, std::span<const NodeId> queries) const;

 private:
  RankedList list_of(std::span<const float> query, std::span<const NodeId> places) const;

  LoadedRun& loaded_;
  std::vector<NodeId> candidates_;
  std::int64_t length_;
  ScoreKind score_;
  bool all_ = false;         // whether the candidates are all nodes of the side
  std::vector<float> rows_;  // embeddings of the whole side, on the host
  Matrix own_;               // those of the candidates, on the backend, unless they are the run's
  const Matrix* matrix_ = nullptr;
  std::vector<Graph> observed_;
};

}  // namespace tern::cli
