#include "host/data/split.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "host/data/counting_sort.hpp"
#include "host/support/parallel.hpp"
#include "tern/random.hpp"

namespace tern {
namespace {

template <typename Body>
void for_each_user(NodeId num_users, const Body& body) {
  constexpr std::int64_t kUsersAtOnce = 1024;
  parallel_for_blocks(num_users, kUsersAtOnce,
                      [&](std::int64_t user) { body(static_cast<NodeId>(user)); });
}

/// The number of interactions or items to hold out of `size`.
std::int64_t held_out(double fraction, std::int64_t size) {
  if (fraction <= 0 || size < 2) return 0;
  const auto wanted = static_cast<std::int64_t>(std::llround(fraction * static_cast<double>(size)));
  return std::clamp<std::int64_t>(wanted, 1, size - 1);
}

struct DatedItem {
  NodeId item = 0;
  Recency recency;
};

}  // namespace

DatedInteractions date_interactions(NodeId num_users, NodeId num_items,
                                    std::span<const Interaction> pairs,
                                    std::span<const double> times, std::int64_t* duplicates) {
  std::vector<DatedItem> entries(pairs.size());
  const std::vector<EdgeOffset> begins = counting_sort(
      static_cast<EdgeOffset>(pairs.size()), num_users, [&](EdgeOffset e) { return pairs[e].user; },
      [&](EdgeOffset) {
        return [&](EdgeOffset e, EdgeOffset place) {
          entries[place] = {pairs[e].item, {times.empty() ? 0.0 : times[e], e}};
        };
      });
  // Sorts each user's entries by item, and keeps only the newest of repeated ones.
  std::vector<EdgeOffset> offsets(begins.size(), 0);
  for_each_user(num_users, [&](NodeId user) {
    const auto begin = entries.begin() + begins[user];
    const auto end = entries.begin() + begins[user + 1];
    std::sort(begin, end, [](const DatedItem& a, const DatedItem& b) {
      return a.item != b.item ? a.item < b.item : a.recency > b.recency;
    });
    offsets[user + 1] =
        std::unique(begin, end,
                    [](const DatedItem& a, const DatedItem& b) { return a.item == b.item; }) -
        begin;
  });
  std::partial_sum(offsets.begin(), offsets.end(), offsets.begin());
  const auto distinct = static_cast<std::size_t>(offsets.back());
  *duplicates += static_cast<std::int64_t>(pairs.size() - distinct);

  std::vector<NodeId> items(distinct);
  DatedInteractions dated;
  dated.recency.resize(distinct);
  for_each_user(num_users, [&](NodeId user) {
    const DatedItem* entry = entries.data() + begins[user];
    for (EdgeOffset e = offsets[user]; e < offsets[user + 1]; ++e, ++entry) {
      items[e] = entry->item;
      dated.recency[e] = entry->recency;
    }
  });
  dated.interactions = Interactions(num_users, num_items, std::move(offsets), std::move(items));
  return dated;
}

std::vector<SplitPart> split_randomly(const Interactions& all, double test, double valid,
                                      Seed seed) {
  std::vector<SplitPart> parts(static_cast<std::size_t>(all.size()), SplitPart::kTrain);
  const std::span<const EdgeOffset> offsets = all.offsets();
  for_each_user(all.num_users(), [&](NodeId user) {
    const EdgeOffset begin = offsets[user];
    const EdgeOffset degree = offsets[user + 1] - begin;
    const std::int64_t num_test = held_out(test, degree);
    const std::int64_t num_valid = held_out(valid, degree - num_test);
    if (num_test + num_valid == 0) return;
    std::vector<NodeId> order(static_cast<std::size_t>(degree));
    std::iota(order.begin(), order.end(), 0);
    RandomStream stream(seed, Purpose::kSplit, 0, static_cast<std::uint64_t>(user));
    // The first steps of a Fisher-Yates shuffle: every choice of this size is equally likely.
    for (std::int64_t k = 0; k < num_test + num_valid; ++k) {
      const std::int64_t other = k + stream.below(static_cast<std::uint32_t>(degree - k));
      std::swap(order[k], order[other]);
      parts[begin + order[k]] = k < num_test ? SplitPart::kTest : SplitPart::kValid;
    }
  });
  return parts;
}

std::vector<SplitPart> split_cold_items(const Interactions& all, double test, double valid,
                                        Seed seed) {
  std::vector<bool> occurs(static_cast<std::size_t>(all.num_items()), false);
  for (const NodeId item : all.items()) occurs[item] = true;
  std::vector<NodeId> items;
  for (NodeId item = 0; item < all.num_items(); ++item) {
    if (occurs[item]) items.push_back(item);
  }
  const std::int64_t num_cold = held_out(test, static_cast<std::int64_t>(items.size()));
  std::vector<bool> cold(occurs.size(), false);
  RandomStream stream(seed, Purpose::kSplit, 1, 0);
  for (std::int64_t k = 0; k < num_cold; ++k) {
    const auto left = static_cast<std::uint32_t>(static_cast<std::int64_t>(items.size()) - k);
    std::swap(items[k], items[k + stream.below(left)]);
    cold[items[k]] = true;
  }
  // Validation is drawn from the other items as if the cold ones did not exist.
  std::vector<EdgeOffset> offsets{0};
  std::vector<NodeId> warm;
  for (NodeId user = 0; user < all.num_users(); ++user) {
    for (const NodeId item : all.row(user)) {
      if (!cold[item]) warm.push_back(item);
    }
    offsets.push_back(static_cast<EdgeOffset>(warm.size()));
  }
  const Interactions rest(all.num_users(), all.num_items(), std::move(offsets), std::move(warm));
  const std::vector<SplitPart> of_rest = split_randomly(rest, 0, valid, seed);
  std::vector<SplitPart> parts;
  parts.reserve(all.items().size());
  auto next = of_rest.begin();
  for (const NodeId item : all.items()) {
    parts.push_back(cold[item] ? SplitPart::kTest : *next);
    if (!cold[item]) ++next;
  }
  return parts;
}

std::vector<SplitPart> split_last(const DatedInteractions& all, double valid) {
  std::vector<SplitPart> parts(all.recency.size(), SplitPart::kTrain);
  const std::span<const EdgeOffset> offsets = all.interactions.offsets();
  for_each_user(all.interactions.num_users(), [&](NodeId user) {
    const EdgeOffset degree = offsets[user + 1] - offsets[user];
    if (degree < 2) return;
    EdgeOffset last = offsets[user];
    EdgeOffset before = -1;  // the last but one
    for (EdgeOffset e = offsets[user] + 1; e < offsets[user + 1]; ++e) {
      if (all.recency[e] > all.recency[last]) {
        before = std::exchange(last, e);
      } else if (before < 0 || all.recency[e] > all.recency[before]) {
        before = e;
      }
    }
    parts[last] = SplitPart::kTest;
    if (degree >= 3 && valid > 0) parts[before] = SplitPart::kValid;
  });
  return parts;
}

std::vector<SplitPart> split_by_time(const DatedInteractions& all, double test, double valid) {
  const auto size = static_cast<std::int64_t>(all.recency.size());
  const std::int64_t num_test = held_out(test, size);
  const std::int64_t num_valid = held_out(valid, size - num_test);
  std::vector<std::int64_t> newest_first(all.recency.size());
  std::iota(newest_first.begin(), newest_first.end(), 0);
  // No two recencies are equal, so that the set of the newest n is unique.
  const auto newer = [&](std::int64_t a, std::int64_t b) {
    return all.recency[a] > all.recency[b];
  };
  const auto test_end = newest_first.begin() + num_test;
  const auto valid_end = test_end + num_valid;
  std::nth_element(newest_first.begin(), valid_end, newest_first.end(), newer);
  std::nth_element(newest_first.begin(), test_end, valid_end, newer);
  std::vector<SplitPart> parts(all.recency.size(), SplitPart::kTrain);
  for (auto e = newest_first.begin(); e != valid_end; ++e) {
    parts[*e] = e < test_end ? SplitPart::kTest : SplitPart::kValid;
  }
  return parts;
}

TiesAtCut count_ties(const DatedInteractions& all, std::span<const SplitPart> parts,
                     SplitPart newer) {
  double cut = std::numeric_limits<double>::infinity();
  for (std::size_t e = 0; e < parts.size(); ++e) {
    if (parts[e] == newer) cut = std::min(cut, all.recency[e].time);
  }
  TiesAtCut ties;
  for (std::size_t e = 0; e < parts.size(); ++e) {
    if (all.recency[e].time != cut) continue;
    // Test is newer than validation, validation newer than training: the enumeration's order.
    if (parts[e] == newer) ++ties.newer;
    if (parts[e] < newer) ++ties.older;
  }
  return ties;
}

std::array<Interactions, kSplitParts> apply_split(const Interactions& all,
                                                  std::span<const SplitPart> parts) {
  const auto num_offsets = static_cast<std::size_t>(all.num_users()) + 1;
  std::array<std::vector<EdgeOffset>, kSplitParts> offsets;
  for (auto& of_part : offsets) of_part.assign(num_offsets, 0);
  for_each_user(all.num_users(), [&](NodeId user) {
    for (EdgeOffset e = all.offsets()[user]; e < all.offsets()[user + 1]; ++e) {
      ++offsets[static_cast<std::size_t>(parts[e])][user + 1];
    }
  });
  std::array<std::vector<NodeId>, kSplitParts> items;
  for (std::size_t part = 0; part < kSplitParts; ++part) {
    std::partial_sum(offsets[part].begin(), offsets[part].end(), offsets[part].begin());
    items[part].resize(static_cast<std::size_t>(offsets[part].back()));
  }
  for_each_user(all.num_users(), [&](NodeId user) {
    std::array<EdgeOffset, kSplitParts> next{offsets[0][user], offsets[1][user], offsets[2][user]};
    for (EdgeOffset e = all.offsets()[user]; e < all.offsets()[user + 1]; ++e) {
      const auto part = static_cast<std::size_t>(parts[e]);
      items[part][next[part]++] = all.items()[e];
    }
  });
  std::array<Interactions, kSplitParts> splits;
  for (std::size_t part = 0; part < kSplitParts; ++part) {
    splits[part] = Interactions(all.num_users(), all.num_items(), std::move(offsets[part]),
                                std::move(items[part]));
  }
  return splits;
}

}  // namespace tern
