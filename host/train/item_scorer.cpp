#include "host/train/item_scorer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "host/support/parallel.hpp"
#include "tern/error.hpp"

namespace tern {
namespace {

/// Selects the k items with the greatest finite scores of one user, best first.
class BestItems {
 public:
  explicit BestItems(std::size_t k) : k_(k) {}

  /// Overwrites out[0..k).
  void select(std::span<const double> scores, std::span<NodeId> out) {
    heap_.clear();
    const auto better = [&](NodeId a, NodeId b) {
      const double score_a = scores[static_cast<std::size_t>(a)];
      const double score_b = scores[static_cast<std::size_t>(b)];
      return score_a != score_b ? score_a > score_b : a < b;
    };
    // A heap with the worst selected item on top. Items come by ascending id, so a later one must
    // be strictly better to displace it.
    for (std::size_t item = 0; item < scores.size(); ++item) {
      if (!std::isfinite(scores[item])) continue;
      if (heap_.size() == k_) {
        if (scores[item] <= scores[static_cast<std::size_t>(heap_.front())]) continue;
        std::pop_heap(heap_.begin(), heap_.end(), better);
        heap_.pop_back();
      }
      heap_.push_back(static_cast<NodeId>(item));
      std::push_heap(heap_.begin(), heap_.end(), better);
    }
    std::sort_heap(heap_.begin(), heap_.end(), better);
    const auto end = std::copy(heap_.begin(), heap_.end(), out.begin());
    std::fill(end, out.end(), NodeId{-1});
  }

 private:
  std::size_t k_;
  std::vector<NodeId> heap_;
};

struct RankingScratch {
  std::unique_ptr<ItemScorer::Scratch> scorer;
  std::vector<double> scores;
  BestItems best;
};

}  // namespace

std::vector<double> inverse_roots(const Interactions& interactions) {
  std::vector<double> scales(static_cast<std::size_t>(interactions.num_users()), 0.0);
  for (NodeId node = 0; node < interactions.num_users(); ++node) {
    const std::size_t degree = interactions.row(node).size();
    if (degree > 0) {
      scales[static_cast<std::size_t>(node)] = 1.0 / std::sqrt(static_cast<double>(degree));
    }
  }
  return scales;
}

void check_rankings(const Interactions& train, std::span<const Interactions* const> observed,
                    std::int64_t k) {
  if (k < 1) throw ShapeError(fmt::format("length of a ranking: found {}, expected 1 or more", k));
  for (const Interactions* other : observed) {
    if (other->num_users() != train.num_users() || other->num_items() != train.num_items()) {
      throw ShapeError(fmt::format(
          "observed interactions: found {} users and {} items, training has {} and {}",
          other->num_users(), other->num_items(), train.num_users(), train.num_items()));
    }
  }
}

std::vector<NodeId> rankings_by(const ItemScorer& scorer, const Interactions& train,
                                std::span<const Interactions* const> observed, std::int64_t k) {
  const std::int64_t users = train.num_users(), items = train.num_items();
  const auto width = static_cast<std::size_t>(k);
  std::vector<NodeId> rankings(static_cast<std::size_t>(users) * width);
  constexpr std::int64_t kAtOnce = ItemScorer::kMaxHistories;
  const auto make = [&] {
    return RankingScratch{scorer.make_scratch(),
                          std::vector<double>(static_cast<std::size_t>(kAtOnce * items)),
                          BestItems(width)};
  };
  const std::int64_t blocks = (users + kAtOnce - 1) / kAtOnce;
  parallel_for_with(shared_pool(), blocks, make, [&](std::int64_t block, RankingScratch& scratch) {
    const std::int64_t begin = block * kAtOnce;
    const std::int64_t count = std::min(kAtOnce, users - begin);
    std::vector<ItemScorer::History> histories;
    for (std::int64_t u = 0; u < count; ++u) {
      histories.push_back(train.row(static_cast<NodeId>(begin + u)));
    }
    scorer.score(histories, *scratch.scorer, {scratch.scores.data(), count, items, items});
    for (std::int64_t u = 0; u < count; ++u) {
      const auto scores = std::span(scratch.scores).subspan(u * items, items);
      for (const Interactions* interactions : observed) {
        for (const NodeId item : interactions->row(static_cast<NodeId>(begin + u))) {
          scores[static_cast<std::size_t>(item)] = -HUGE_VAL;
        }
      }
      scratch.best.select(scores, std::span(rankings).subspan((begin + u) * k, width));
    }
  });
  return rankings;
}

}  // namespace tern
