#include "tern/interactions.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <limits>
#include <utility>

#include "host/data/counting_sort.hpp"
#include "host/support/parallel.hpp"
#include "tern/error.hpp"

namespace tern {
namespace {

constexpr EdgeOffset kNone = std::numeric_limits<EdgeOffset>::max();

/// Calls body(row) for every row. size: the number of entries, as a measure of the work.
template <typename Body>
void for_rows(std::int64_t rows, EdgeOffset size, const Body& body) {
  constexpr std::int64_t kRowsAtOnce = 1024;
  parallel_for_blocks(rows, size < kParallelFrom ? std::max<std::int64_t>(1, rows) : kRowsAtOnce,
                      body);
}

/// The smallest find(row) of all rows; kNone if every one is kNone.
template <typename Find>
EdgeOffset smallest(std::int64_t rows, EdgeOffset size, const Find& find) {
  std::atomic<EdgeOffset> found = kNone;
  for_rows(rows, size, [&](std::int64_t row) {
    const EdgeOffset here = find(row);
    EdgeOffset before = found.load(std::memory_order_relaxed);
    while (here < before && !found.compare_exchange_weak(before, here)) {
    }
  });
  return found;
}

void check_sizes(NodeId num_users, NodeId num_items) {
  if (num_users < 0 || num_items < 0) {
    throw ShapeError(
        fmt::format("interactions: found {} users and {} items, expected no negative size",
                    num_users, num_items));
  }
}

void check_offsets(NodeId num_users, std::span<const EdgeOffset> offsets, std::size_t num_entries) {
  if (offsets.size() != static_cast<std::size_t>(num_users) + 1) {
    throw ShapeError(fmt::format("interactions: found {} offsets, expected one more than {} users",
                                 offsets.size(), num_users));
  }
  const auto size = static_cast<EdgeOffset>(num_entries);
  if (offsets.front() != 0 || offsets.back() != size) {
    throw ShapeError(fmt::format("interactions: found offsets from {} to {}, expected 0 to {}",
                                 offsets.front(), offsets.back(), size));
  }
  const auto step = std::is_sorted_until(offsets.begin(), offsets.end());
  if (step != offsets.end()) {
    throw ShapeError(fmt::format("interactions: offset {} is {}, below the previous offset {}",
                                 step - offsets.begin(), *step, *(step - 1)));
  }
}

}  // namespace

Interactions::Interactions(NodeId num_users, NodeId num_items, std::vector<EdgeOffset> offsets,
                           std::vector<NodeId> items)
    : num_items_(num_items), offsets_(std::move(offsets)), items_(std::move(items)) {
  check_sizes(num_users, num_items);
  check_offsets(num_users, offsets_, items_.size());

  // The first entry that is out of range or not ascending.
  const EdgeOffset bad = smallest(num_users, size(), [&](std::int64_t user) {
    NodeId before = -1;
    for (EdgeOffset e = offsets_[user]; e < offsets_[user + 1]; ++e) {
      if (items_[e] <= before || items_[e] >= num_items) return e;
      before = items_[e];
    }
    return kNone;
  });
  if (bad != kNone) {
    const auto user =
        std::upper_bound(offsets_.begin(), offsets_.end(), bad) - offsets_.begin() - 1;
    throw ShapeError(
        fmt::format("entry {} of user {}'s interactions is item {}, expected strictly ascending "
                    "items in [0, {})",
                    bad - offsets_[user], user, items_[bad], num_items));
  }
}

Interactions Interactions::from_pairs(NodeId num_users, NodeId num_items,
                                      std::span<const Interaction> pairs,
                                      std::int64_t* duplicates) {
  check_sizes(num_users, num_items);
  const auto size = static_cast<EdgeOffset>(pairs.size());
  const EdgeOffset bad = smallest(size, size, [&](EdgeOffset e) {
    const auto [user, item] = pairs[e];
    return user < 0 || user >= num_users || item < 0 || item >= num_items ? e : kNone;
  });
  if (bad != kNone) {
    throw ShapeError(fmt::format(
        "interaction {} is (user {}, item {}), expected users in [0, {}) and items in [0, {})", bad,
        pairs[bad].user, pairs[bad].item, num_users, num_items));
  }

  std::vector<NodeId> sorted(pairs.size());
  const std::vector<EdgeOffset> with_repeats = counting_sort(
      size, num_users, [&](EdgeOffset e) { return pairs[e].user; },
      [&](EdgeOffset) {
        return [&](EdgeOffset e, EdgeOffset place) { sorted[place] = pairs[e].item; };
      });

  Interactions result;
  result.num_items_ = num_items;
  result.offsets_.assign(static_cast<std::size_t>(num_users) + 1, 0);
  for_rows(num_users, size, [&](std::int64_t user) {
    const auto begin = sorted.begin() + with_repeats[user];
    const auto end = sorted.begin() + with_repeats[user + 1];
    if (!std::is_sorted(begin, end)) std::sort(begin, end);
    result.offsets_[user + 1] = std::unique(begin, end) - begin;
  });
  for (NodeId user = 0; user < num_users; ++user) {
    result.offsets_[user + 1] += result.offsets_[user];
  }
  const EdgeOffset distinct = result.offsets_.back();
  if (duplicates != nullptr) *duplicates += size - distinct;
  if (distinct == size) {
    result.items_ = std::move(sorted);
    return result;
  }
  result.items_.resize(static_cast<std::size_t>(distinct));
  for_rows(num_users, size, [&](std::int64_t user) {
    std::copy_n(sorted.begin() + with_repeats[user],
                result.offsets_[user + 1] - result.offsets_[user],
                result.items_.begin() + result.offsets_[user]);
  });
  return result;
}

std::span<const NodeId> Interactions::row(NodeId user) const {
  if (user < 0 || user >= num_users()) {
    throw ShapeError(fmt::format("no user {}, expected a number below {}", user, num_users()));
  }
  return std::span(items_).subspan(static_cast<std::size_t>(offsets_[user]),
                                   static_cast<std::size_t>(offsets_[user + 1] - offsets_[user]));
}

Interactions Interactions::transposed() const {
  Interactions result;
  result.num_items_ = num_users();
  result.items_.resize(items_.size());
  // Stable by item over ascending users: the users of each item ascend.
  result.offsets_ = counting_sort(
      size(), num_items_, [&](EdgeOffset e) { return items_[e]; },
      [&](EdgeOffset begin) {
        const auto row = std::upper_bound(offsets_.begin(), offsets_.end(), begin) - 1;
        return [&, user = row - offsets_.begin()](EdgeOffset e, EdgeOffset place) mutable {
          while (e >= offsets_[user + 1]) ++user;
          result.items_[place] = static_cast<NodeId>(user);
        };
      });
  return result;
}

}  // namespace tern
