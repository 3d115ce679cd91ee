#include "host/serve/ranker.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

#include "host/data/cold_items.hpp"
#include "host/serve/scores.hpp"
#include "host/train/cosine.hpp"

namespace tern {
namespace {

/// By score, ties by ascending id.
RankedList ordered(std::vector<std::pair<float, NodeId>> scored) {
  std::sort(scored.begin(), scored.end(), [](const auto& a, const auto& b) {
    return a.first != b.first ? a.first > b.first : a.second < b.second;
  });
  RankedList list;
  for (const auto& [score, id] : scored) {
    list.ids.push_back(id);
    list.scores.push_back(score);
  }
  return list;
}

}  // namespace

EmbeddingRanker::EmbeddingRanker(RankingSource& source, Side side, QueryTable table,
                                 std::vector<NodeId> candidates, std::int64_t length)
    : source_(source),
      table_(table),
      candidates_(std::move(candidates)),
      length_(std::min(length, static_cast<std::int64_t>(candidates_.size()))),
      score_(source.score_kind()),
      rows_(source.host_table(side)) {
  const std::int64_t width = source.width();
  const auto count = static_cast<std::int64_t>(candidates_.size());
  all_ = count * width == static_cast<std::int64_t>(rows_.values().size());
  if (all_ && score_ == ScoreKind::kDot) {
    matrix_ = &source.embeddings(side);
    return;
  }
  std::vector<float> some;
  some.reserve(static_cast<std::size_t>(count * width));
  for (const NodeId id : candidates_) {
    const std::span<const float> row = row_of(rows_.values(), width, id);
    some.insert(some.end(), row.begin(), row.end());
  }
  // A query's own norm moves no candidate.
  if (score_ == ScoreKind::kCosine) normalize_rows(std::span(some), width);
  own_ = source.backend().allocate(count, width);
  source.backend().upload(std::span<const float>(some), own_);
  matrix_ = &own_;
}

void EmbeddingRanker::leave_out(const Interactions& observed) {
  Backend& backend = source_.backend();
  observed_.push_back(backend.make_graph(all_ ? observed : restrict_items(observed, candidates_)));
}

RankedList EmbeddingRanker::list_of(std::span<const float> query,
                                    std::span<const NodeId> places) const {
  std::vector<std::pair<float, NodeId>> scored;
  for (const NodeId place : places) {
    if (place < 0) break;
    const NodeId id = candidates_[static_cast<std::size_t>(place)];
    scored.emplace_back(printed_score(score_, query, row_of(rows_.values(), source_.width(), id)),
                        id);
  }
  return ordered(std::move(scored));
}

std::vector<RankedList> EmbeddingRanker::rank(std::span<const NodeId> queries) const {
  std::vector<const Graph*> observed;
  observed.reserve(observed_.size());
  for (const Graph& graph : observed_) observed.push_back(&graph);
  TopItems top;
  source_.backend().score_topk(*table_.matrix, *matrix_, queries, observed, length_, top);
  const auto k = static_cast<std::size_t>(top.k);
  std::vector<RankedList> lists;
  lists.reserve(queries.size());
  for (std::size_t i = 0; i < queries.size(); ++i) {
    lists.push_back(list_of(row_of(table_.rows, source_.width(), queries[i]),
                            std::span(top.items).subspan(i * k, k)));
  }
  return lists;
}

HistoryRanker::HistoryRanker(const ItemScorer& scorer, const Interactions& histories,
                             std::vector<NodeId> candidates, std::int64_t length)
    : scorer_(scorer),
      histories_(histories),
      candidates_(std::move(candidates)),
      length_(std::min(length, static_cast<std::int64_t>(candidates_.size()))) {}

std::vector<RankedList> HistoryRanker::rank(std::span<const NodeId> queries) const {
  const ScoredLists found =
      rank_items(scorer_, {histories_, queries, observed_, candidates_, length_});
  const auto k = static_cast<std::size_t>(length_);
  std::vector<RankedList> lists;
  lists.reserve(queries.size());
  for (std::size_t i = 0; i < queries.size(); ++i) {
    std::vector<std::pair<float, NodeId>> scored;
    for (std::size_t j = i * k; j < (i + 1) * k && found.items[j] >= 0; ++j) {
      scored.emplace_back(static_cast<float>(found.scores[j]), found.items[j]);
    }
    lists.push_back(ordered(std::move(scored)));
  }
  return lists;
}

}  // namespace tern
