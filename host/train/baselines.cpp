#include "tern/baselines.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "host/support/parallel.hpp"
#include "tern/error.hpp"

namespace tern {
namespace {

/// Users that a thread ranks at a time.
constexpr std::int64_t kUsersAtOnce = 64;

void check(const Interactions& train, std::span<const Interactions* const> observed,
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

bool is_observed(std::span<const Interactions* const> observed, NodeId user, NodeId item) {
  return std::any_of(observed.begin(), observed.end(), [&](const Interactions* interactions) {
    const std::span<const NodeId> row = interactions->row(user);
    return std::binary_search(row.begin(), row.end(), item);
  });
}

/// By node: 1/sqrt(degree), 0 for degree 0.
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

/// The graph filter's scores of one user at a time; the accumulators are reused.
class GraphFilter {
 public:
  GraphFilter(const Interactions& by_user, const Interactions& by_item,
              std::span<const double> user_scales, std::span<const double> item_scales)
      : by_user_(by_user),
        by_item_(by_item),
        user_scales_(user_scales),
        item_scales_(item_scales),
        weights_(user_scales.size(), 0.0),
        scores_(item_scales.size(), 0.0) {}

  /// Row `user` of R̃ R̃ᵀ R̃, without the user's own scale: a positive factor of the whole row.
  std::span<double> scores(NodeId user) {
    std::fill(scores_.begin(), scores_.end(), 0.0);
    neighbours_.clear();
    for (const NodeId item : by_user_.row(user)) {
      const double scale = item_scales_[static_cast<std::size_t>(item)];
      for (const NodeId other : by_item_.row(item)) {
        double& weight = weights_[static_cast<std::size_t>(other)];
        if (weight == 0.0) neighbours_.push_back(other);
        weight += scale * scale;
      }
    }
    // The order of neighbours_ depends only on the graph.
    for (const NodeId other : neighbours_) {
      const auto at = static_cast<std::size_t>(other);
      const double weight = weights_[at] * user_scales_[at] * user_scales_[at];
      weights_[at] = 0.0;
      for (const NodeId item : by_user_.row(other)) {
        scores_[static_cast<std::size_t>(item)] += weight;
      }
    }
    for (std::size_t item = 0; item < scores_.size(); ++item) scores_[item] *= item_scales_[item];
    return scores_;
  }

 private:
  const Interactions& by_user_;
  const Interactions& by_item_;
  std::span<const double> user_scales_;
  std::span<const double> item_scales_;
  std::vector<double> weights_;     // by user; zeros between calls
  std::vector<NodeId> neighbours_;  // users with a weight
  std::vector<double> scores_;      // by item
};

}  // namespace

std::vector<NodeId> popularity_rankings(const Interactions& train,
                                        std::span<const Interactions* const> observed,
                                        std::int64_t k) {
  check(train, observed, k);
  std::vector<std::int64_t> degrees(static_cast<std::size_t>(train.num_items()), 0);
  for (const NodeId item : train.items()) ++degrees[static_cast<std::size_t>(item)];
  std::vector<NodeId> order(degrees.size());
  std::iota(order.begin(), order.end(), NodeId{0});
  std::stable_sort(order.begin(), order.end(), [&](NodeId a, NodeId b) {
    return degrees[static_cast<std::size_t>(a)] > degrees[static_cast<std::size_t>(b)];
  });

  std::vector<NodeId> rankings(static_cast<std::size_t>(train.num_users() * k), NodeId{-1});
  parallel_for_blocks(train.num_users(), kUsersAtOnce, [&](std::int64_t index) {
    const auto user = static_cast<NodeId>(index);
    auto out = rankings.begin() + user * k;
    const auto end = out + k;
    for (const NodeId item : order) {
      if (out == end) break;
      if (!is_observed(observed, user, item)) *out++ = item;
    }
  });
  return rankings;
}

std::vector<NodeId> graph_filter_rankings(const Interactions& train,
                                          std::span<const Interactions* const> observed,
                                          std::int64_t k) {
  check(train, observed, k);
  const Interactions transposed = train.transposed();
  const std::vector<double> user_scales = inverse_roots(train);
  const std::vector<double> item_scales = inverse_roots(transposed);
  const auto width = static_cast<std::size_t>(k);
  std::vector<NodeId> rankings(static_cast<std::size_t>(train.num_users()) * width);
  struct Scratch {
    GraphFilter filter;
    BestItems best;
  };
  const auto make = [&] {
    return Scratch{GraphFilter(train, transposed, user_scales, item_scales), BestItems(width)};
  };
  const std::int64_t users = train.num_users();
  const std::int64_t blocks = (users + kUsersAtOnce - 1) / kUsersAtOnce;
  parallel_for_with(shared_pool(), blocks, make, [&](std::int64_t block, Scratch& scratch) {
    const std::int64_t end = std::min(users, (block + 1) * kUsersAtOnce);
    for (std::int64_t index = block * kUsersAtOnce; index < end; ++index) {
      const auto user = static_cast<NodeId>(index);
      const std::span<double> scores = scratch.filter.scores(user);
      for (const Interactions* interactions : observed) {
        for (const NodeId item : interactions->row(user)) {
          scores[static_cast<std::size_t>(item)] = -HUGE_VAL;
        }
      }
      scratch.best.select(
          scores, std::span(rankings).subspan(static_cast<std::size_t>(user) * width, width));
    }
  });
  return rankings;
}

}  // namespace tern
