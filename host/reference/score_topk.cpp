#include <algorithm>
#include <limits>

#include "host/backend/checks.hpp"
#include "host/reference/backend.hpp"

namespace tern::reference {
namespace {

struct Scored {
  double score;
  NodeId item;
};

bool better(const Scored& a, const Scored& b) {
  return a.score != b.score ? a.score > b.score : a.item < b.item;
}

}  // namespace

// the k greatest users[q]·items[i] over the items i that q has not interacted with
void ReferenceBackend::score_topk(const Matrix& users, const Matrix& items,
                                  std::span<const NodeId> queries,
                                  std::span<const Graph* const> observed, std::int64_t k,
                                  TopItems& top) {
  expect_not_recording("score_topk");
  check_score_topk(users, items, queries, observed, k);
  const MatrixView<const double> user_rows = view(users, "score_topk", "users");
  const MatrixView<const double> item_rows = view(items, "score_topk", "items");
  resize_top_items(queries.size(), k, top);
  for (std::size_t q = 0; q < queries.size(); ++q) {
    const NodeId user = queries[q];
    std::vector<bool> masked(static_cast<std::size_t>(items.rows()), false);
    for (const Graph* graph : observed) {
      const auto& storage = storage_of<GraphStorage>(*graph, "score_topk", "an observed graph");
      for (const NodeId item : storage.rows_of(Side::kUser).neighbours.row(user)) {
        masked[item] = true;
      }
    }
    std::vector<Scored> candidates;
    for (NodeId item = 0; item < items.rows(); ++item) {
      if (masked[item]) continue;
      double score = 0;
      for (std::int64_t d = 0; d < users.cols(); ++d) {
        score += user_rows(user, d) * item_rows(item, d);
      }
      if (score > -std::numeric_limits<double>::infinity()) candidates.push_back({score, item});
    }
    std::sort(candidates.begin(), candidates.end(), better);
    for (std::size_t j = 0; j < std::min(candidates.size(), static_cast<std::size_t>(k)); ++j) {
      const std::size_t place = q * static_cast<std::size_t>(k) + j;
      top.items[place] = candidates[j].item;
      top.scores[place] = static_cast<float>(candidates[j].score);
    }
  }
}

}  // namespace tern::reference
