#include "host/train/item_scorer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>
#include <variant>

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

constexpr std::int64_t kAtOnce = ItemScorer::kMaxHistories;

std::int64_t blocks_of(std::int64_t users) {
  return (users + kAtOnce - 1) / kAtOnce;
}

/// One thread's workspace.
struct RankingScratch {
  RankingScratch(const ItemScorer& scorer_in, std::size_t k)
      : scorer(scorer_in.make_scratch()),
        scores(static_cast<std::size_t>(kAtOnce * scorer_in.num_items())),
        best(k) {}

  /// Row n of scores becomes that of users[n], at most kAtOnce.
  void score(const ItemScorer& by, const Interactions& of, std::span<const NodeId> users) {
    const std::int64_t items = by.num_items();
    std::vector<ItemScorer::History> histories;
    for (const NodeId user : users) histories.push_back(of.row(user));
    by.score(histories, *scorer,
             {scores.data(), static_cast<std::int64_t>(users.size()), items, items});
  }

  std::unique_ptr<ItemScorer::Scratch> scorer;
  std::vector<double> scores;  // (kAtOnce, I)
  BestItems best;
};

/// By item: whether it is no candidate; empty if all are.
std::vector<bool> outside(std::span<const NodeId> candidates, NodeId items) {
  if (candidates.empty()) return {};
  std::vector<bool> left_out(static_cast<std::size_t>(items), true);
  for (const NodeId item : candidates) left_out[static_cast<std::size_t>(item)] = false;
  return left_out;
}

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

Tensor take_table(TensorFile& arrays, const char* name, std::int64_t rows, std::int64_t columns,
                  std::string_view file) {
  const auto found = arrays.tensors.find(name);
  if (found == arrays.tensors.end()) {
    throw DataError(file, 0, fmt::format("the tensor {} is missing", name));
  }
  Tensor& tensor = found->second;
  const bool fits = tensor.shape.size() == 2 && tensor.shape[0] == rows &&
                    (columns < 0 || tensor.shape[1] == columns);
  if (!fits || !std::holds_alternative<std::vector<float>>(tensor.values)) {
    throw DataError(file, 0,
                    fmt::format("the tensor {} has another type or shape, expected f32 of {} rows",
                                name, rows));
  }
  return std::move(tensor);
}

namespace {

/// (lists, k) items. *found_scores, if not null, gets their scores.
std::vector<NodeId> rank_lists(const ItemScorer& scorer, const ListTask& task,
                               std::vector<double>* found_scores) {
  check_rankings(task.histories, task.observed, task.k);
  const std::int64_t items = scorer.num_items();
  const auto lists = static_cast<std::int64_t>(task.users.size());
  const auto width = static_cast<std::size_t>(task.k);
  const std::vector<bool> left_out = outside(task.candidates, scorer.num_items());
  std::vector<NodeId> found(static_cast<std::size_t>(lists) * width);
  if (found_scores != nullptr) found_scores->resize(found.size());
  const auto make = [&] { return RankingScratch(scorer, width); };
  const auto rank_block = [&](std::int64_t block, RankingScratch& scratch) {
    const std::int64_t begin = block * kAtOnce;
    const auto users = task.users.subspan(begin, std::min(kAtOnce, lists - begin));
    scratch.score(scorer, task.histories, users);
    for (std::size_t u = 0; u < users.size(); ++u) {
      const auto scores = std::span(scratch.scores).subspan(u * items, items);
      for (const Interactions* interactions : task.observed) {
        for (const NodeId item : interactions->row(users[u])) {
          scores[static_cast<std::size_t>(item)] = -HUGE_VAL;
        }
      }
      for (std::size_t item = 0; item < left_out.size(); ++item) {
        if (left_out[item]) scores[item] = -HUGE_VAL;
      }
      const std::size_t place = (begin + u) * width;
      const auto best = std::span(found).subspan(place, width);
      scratch.best.select(scores, best);
      if (found_scores == nullptr) continue;
      for (std::size_t j = 0; j < width && best[j] >= 0; ++j) {
        (*found_scores)[place + j] = scores[static_cast<std::size_t>(best[j])];
      }
    }
  };
  parallel_for_with(shared_pool(), blocks_of(lists), make, rank_block);
  return found;
}

}  // namespace

ScoredLists rank_items(const ItemScorer& scorer, const ListTask& task) {
  ScoredLists lists;
  lists.items = rank_lists(scorer, task, &lists.scores);
  return lists;
}

std::vector<double> score_pairs(const ItemScorer& scorer, const Interactions& histories,
                                std::span<const Interaction> pairs) {
  // The pairs of a user one after the other, so that each user is scored once.
  std::vector<std::size_t> order(pairs.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return pairs[a].user < pairs[b].user; });
  std::vector<NodeId> users;
  std::vector<std::size_t> begins;  // by user: its first place in the order
  for (std::size_t i = 0; i < order.size(); ++i) {
    const NodeId user = pairs[order[i]].user;
    if (!users.empty() && users.back() == user) continue;
    users.push_back(user);
    begins.push_back(i);
  }
  begins.push_back(order.size());
  const auto count = static_cast<std::int64_t>(users.size());
  const std::int64_t items = scorer.num_items();
  std::vector<double> found(pairs.size());
  const auto make = [&] { return RankingScratch(scorer, 0); };
  const auto look_up = [&](std::int64_t block, RankingScratch& scratch) {
    const std::int64_t begin = block * kAtOnce;
    const auto some = std::span(users).subspan(begin, std::min(kAtOnce, count - begin));
    scratch.score(scorer, histories, some);
    for (std::size_t u = 0; u < some.size(); ++u) {
      for (std::size_t i = begins[begin + u]; i < begins[begin + u + 1]; ++i) {
        found[order[i]] = scratch.scores[u * items + pairs[order[i]].item];
      }
    }
  };
  parallel_for_with(shared_pool(), blocks_of(count), make, look_up);
  return found;
}

std::int64_t ranking_bytes(std::int64_t users, std::int64_t items, std::int64_t k) {
  const auto threads = static_cast<std::int64_t>(shared_pool().threads());
  return threads * kAtOnce * items * static_cast<std::int64_t>(sizeof(double)) +
         users * k * static_cast<std::int64_t>(sizeof(NodeId));
}

std::vector<NodeId> rankings_by(const ItemScorer& scorer, const Interactions& train,
                                std::span<const Interactions* const> observed, std::int64_t k) {
  std::vector<NodeId> users(static_cast<std::size_t>(train.num_users()));
  std::iota(users.begin(), users.end(), NodeId{0});
  return rank_lists(scorer, {train, users, observed, {}, k}, nullptr);
}

}  // namespace tern
