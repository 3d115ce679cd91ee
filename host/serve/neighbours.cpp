#include "host/serve/neighbours.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <utility>

#include "host/serve/ranker.hpp"
#include "tern/interactions.hpp"

namespace tern {
namespace {

// Rows of final embeddings, (nodes, D) row-major, with their norms. All sums in f64, in order.
struct Embeddings {
  Embeddings(HostTable values_in, std::int64_t rows, std::int64_t width_in)
      : table(std::move(values_in)),
        values(table.values()),
        width(static_cast<std::size_t>(width_in)) {
    norms.reserve(static_cast<std::size_t>(rows));
    for (std::size_t r = 0; r < static_cast<std::size_t>(rows); ++r) {
      norms.push_back(std::sqrt(dot(r, r)));
    }
  }

  double dot(std::size_t a, std::size_t b) const {
    double sum = 0.0;
    for (std::size_t d = 0; d < width; ++d) {
      sum += static_cast<double>(values[a * width + d]) * values[b * width + d];
    }
    return sum;
  }

  // 0 if a row is zero.
  double cosine(std::size_t a, std::size_t b) const {
    const double norm = norms[a] * norms[b];
    return norm > 0.0 ? std::clamp(dot(a, b) / norm, -1.0, 1.0) : 0.0;
  }

  HostTable table;
  std::span<const float> values;
  std::size_t width;
  std::vector<double> norms;
};

// The k candidates most similar to `row`, without itself, best first, ties by ascending id.
RankedList nearest(const Embeddings& embeddings, NodeId row, const std::vector<NodeId>& candidates,
                   std::int64_t k) {
  std::vector<std::pair<double, NodeId>> all;
  all.reserve(candidates.size());
  for (const NodeId other : candidates) {
    if (other == row) continue;
    all.emplace_back(
        embeddings.cosine(static_cast<std::size_t>(row), static_cast<std::size_t>(other)), other);
  }
  const auto end = all.begin() + std::min(k, static_cast<std::int64_t>(all.size()));
  std::partial_sort(all.begin(), end, all.end(), [](const auto& a, const auto& b) {
    return a.first != b.first ? a.first > b.first : a.second < b.second;
  });
  RankedList list;
  for (auto at = all.begin(); at != end; ++at) {
    list.ids.push_back(at->second);
    list.scores.push_back(static_cast<float>(at->first));
  }
  return list;
}

/// The lists of items of a run without embeddings: a query is a history of one item.
std::vector<RankedList> rank_for_items(RankingSource& source, const std::vector<NodeId>& queries,
                                       std::vector<NodeId> candidates, std::int64_t length) {
  const NodeId items = source.names(Side::kItem).size();
  std::vector<Interaction> pairs;
  std::vector<NodeId> rows;
  for (const NodeId item : queries) {
    rows.push_back(static_cast<NodeId>(rows.size()));
    pairs.push_back({rows.back(), item});
  }
  const auto histories = Interactions::from_pairs(static_cast<NodeId>(rows.size()), items, pairs);
  HistoryRanker ranker(source.scorer(), histories, std::move(candidates), length);
  ranker.leave_out(histories);
  return ranker.rank(rows);
}

/// The lists of nodes by the cosines of their embeddings.
std::vector<RankedList> rank_by_cosine(RankingSource& source, Side side,
                                       const std::vector<NodeId>& queries,
                                       const std::vector<NodeId>& candidates, std::int64_t length) {
  const Embeddings embeddings(source.host_table(side), source.names(side).size(), source.width());
  std::vector<RankedList> lists;
  lists.reserve(queries.size());
  for (const NodeId query : queries) {
    lists.push_back(nearest(embeddings, query, candidates, length));
  }
  return lists;
}

}  // namespace

std::vector<RankedList> rank_neighbours(RankingSource& source, Side side,
                                        const std::vector<NodeId>& queries,
                                        std::vector<NodeId> candidates, std::int64_t length) {
  return source.is_fitted() ? rank_for_items(source, queries, std::move(candidates), length)
                            : rank_by_cosine(source, side, queries, candidates, length);
}

}  // namespace tern
