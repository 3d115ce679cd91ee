#include "tern/interactions.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <limits>
#include <utility>

#include "host/support/parallel.hpp"
#include "tern/error.hpp"

namespace tern {
namespace {

constexpr EdgeOffset kNone = std::numeric_limits<EdgeOffset>::max();

/// With fewer entries, waking threads costs more than the work.
constexpr EdgeOffset kParallelFrom = 1 << 15;

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

/// Stable counting sort: calls emit(e, place) for every element e, sorted by key(e) in [0, num_keys).
/// Returns num_keys + 1 offsets, where each key's elements begin. Each thread counts and places one
/// contiguous chunk. A stable order is unique, so that the result does not depend on the threads.
template <typename Key, typename Emit>
std::vector<EdgeOffset> counting_sort(EdgeOffset size, NodeId num_keys, const Key& key,
                                      const Emit& emit) {
  // Each chunk has a histogram; the bound on chunks keeps all of them O(size + num_keys).
  const EdgeOffset keys = num_keys;
  const EdgeOffset most = size < kParallelFrom ? 1 : shared_pool().threads();
  const EdgeOffset chunks = std::clamp<EdgeOffset>(size / std::max<EdgeOffset>(keys, 1), 1, most);
  const auto first = [&](EdgeOffset chunk) {
    return size / chunks * chunk + std::min(chunk, size % chunks);
  };
  std::vector<EdgeOffset> places(static_cast<std::size_t>(chunks * keys), 0);
  std::vector<EdgeOffset> offsets(static_cast<std::size_t>(keys + 1), 0);

  parallel_for(chunks, [&](EdgeOffset chunk) {
    EdgeOffset* count = places.data() + chunk * keys;
    for (EdgeOffset e = first(chunk); e < first(chunk + 1); ++e) ++count[key(e)];
  });
  EdgeOffset place = 0;
  for (EdgeOffset k = 0; k < keys; ++k) {
    offsets[k] = place;
    for (EdgeOffset chunk = 0; chunk < chunks; ++chunk) {
      place += std::exchange(places[chunk * keys + k], place);
    }
  }
  offsets[keys] = place;
  parallel_for(chunks, [&](EdgeOffset chunk) {
    EdgeOffset* next = places.data() + chunk * keys;
    for (EdgeOffset e = first(chunk); e < first(chunk + 1); ++e) emit(e, next[key(e)]++);
  });
  return offsets;
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

  // Sorted by item, then stably by user, so that rows ascend and repeats are adjacent.
  std::vector<Interaction> by_item(pairs.size());
  counting_sort(
      size, num_items, [&](EdgeOffset e) { return pairs[e].item; },
      [&](EdgeOffset e, EdgeOffset place) { by_item[place] = pairs[e]; });
  std::vector<NodeId> sorted(pairs.size());
  const std::vector<EdgeOffset> with_repeats = counting_sort(
      size, num_users, [&](EdgeOffset e) { return by_item[e].user; },
      [&](EdgeOffset e, EdgeOffset place) { sorted[place] = by_item[e].item; });
  by_item = {};

  Interactions result;
  result.num_items_ = num_items;
  result.offsets_.assign(static_cast<std::size_t>(num_users) + 1, 0);
  for_rows(num_users, size, [&](std::int64_t user) {
    const auto begin = sorted.begin() + with_repeats[user];
    const auto end = sorted.begin() + with_repeats[user + 1];
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
  std::vector<NodeId> user_of(items_.size());
  for_rows(num_users(), size(), [&](std::int64_t user) {
    std::fill(user_of.begin() + offsets_[user], user_of.begin() + offsets_[user + 1],
              static_cast<NodeId>(user));
  });
  Interactions result;
  result.num_items_ = num_users();
  result.items_.resize(items_.size());
  // Stable by item over ascending users: the users of each item ascend.
  result.offsets_ = counting_sort(
      size(), num_items_, [&](EdgeOffset e) { return items_[e]; },
      [&](EdgeOffset e, EdgeOffset place) { result.items_[place] = user_of[e]; });
  return result;
}

}  // namespace tern
