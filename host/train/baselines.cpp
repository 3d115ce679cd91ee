#include "tern/baselines.hpp"

#include <algorithm>
#include <numeric>

#include "host/support/parallel.hpp"
#include "host/train/ease.hpp"
#include "host/train/graph_filter.hpp"
#include "host/train/item_scorer.hpp"

namespace tern {
namespace {

/// Users that a thread ranks at a time.
constexpr std::int64_t kPopularityUsers = 64;

bool is_observed(std::span<const Interactions* const> observed, NodeId user, NodeId item) {
  return std::any_of(observed.begin(), observed.end(), [&](const Interactions* interactions) {
    const std::span<const NodeId> row = interactions->row(user);
    return std::binary_search(row.begin(), row.end(), item);
  });
}

void note_ranking(const BaselineProgress& progress, std::string_view text) {
  if (progress) progress(text);
}

}  // namespace

std::vector<NodeId> popularity_rankings(const Interactions& train,
                                        std::span<const Interactions* const> observed,
                                        std::int64_t k) {
  check_rankings(train, observed, k);
  std::vector<std::int64_t> degrees(static_cast<std::size_t>(train.num_items()), 0);
  for (const NodeId item : train.items()) ++degrees[static_cast<std::size_t>(item)];
  std::vector<NodeId> order(degrees.size());
  std::iota(order.begin(), order.end(), NodeId{0});
  std::stable_sort(order.begin(), order.end(), [&](NodeId a, NodeId b) {
    return degrees[static_cast<std::size_t>(a)] > degrees[static_cast<std::size_t>(b)];
  });

  std::vector<NodeId> rankings(static_cast<std::size_t>(train.num_users() * k), NodeId{-1});
  parallel_for_blocks(train.num_users(), kPopularityUsers, [&](std::int64_t index) {
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

std::vector<NodeId> linear_filter_rankings(const Interactions& train,
                                           std::span<const Interactions* const> observed,
                                           std::int64_t k) {
  check_rankings(train, observed, k);
  return rankings_by(LinearFilter(train, FilterSignal::kNormalized), train, observed, k);
}

std::vector<NodeId> gf_cf_rankings(const Interactions& train,
                                   std::span<const Interactions* const> observed, std::int64_t k,
                                   const GfCfOptions& options, const BaselineProgress& progress) {
  check_rankings(train, observed, k);
  const GfCf filter(train, options, progress, k);
  note_ranking(progress, "GF-CF: ranking");
  return rankings_by(filter, train, observed, k);
}

std::vector<NodeId> ease_rankings(const Interactions& train,
                                  std::span<const Interactions* const> observed, std::int64_t k,
                                  const EaseOptions& options, const BaselineProgress& progress) {
  check_rankings(train, observed, k);
  const Ease ease(train, options, progress, k);
  note_ranking(progress, "EASE: ranking");
  return rankings_by(ease, train, observed, k);
}

}  // namespace tern
