#include "host/python/lists.hpp"

#include <algorithm>
#include <iterator>
#include <limits>

namespace tern::python {
namespace {

/// The items of a query that are left out, ascending.
std::vector<NodeId> left_out(const ListRequest& request, NodeId query) {
  std::vector<NodeId> all;
  const auto row = request.observed ? request.observed->row(query) : std::span<const NodeId>();
  std::ranges::set_union(row, request.excluded, std::back_inserter(all));
  if (request.candidates.empty()) return all;
  std::vector<NodeId> candidates;
  std::ranges::set_intersection(all, request.candidates, std::back_inserter(candidates));
  return candidates;
}

}  // namespace

std::int64_t ListRequest::num_candidates(NodeId num_items) const {
  return candidates.empty() ? num_items : static_cast<std::int64_t>(candidates.size());
}

std::int64_t ListRequest::width(NodeId num_items) const {
  return std::min(length, num_candidates(num_items));
}

std::int64_t ListRequest::selected(NodeId num_items) const {
  const auto more = static_cast<std::int64_t>(excluded.size());
  return std::min(width(num_items) + more, num_candidates(num_items));
}

Lists finish_lists(const ListRequest& request, NodeId num_items, std::span<const NodeId> items,
                   std::span<const float> scores) {
  const auto width = static_cast<std::size_t>(request.width(num_items));
  const auto selected = static_cast<std::size_t>(request.selected(num_items));
  const std::size_t queries = items.size() / selected;
  Lists lists;
  lists.width = static_cast<std::int64_t>(width);
  lists.items.reserve(queries * width);
  lists.scores.reserve(queries * width);
  for (std::size_t q = 0; q < queries; ++q) {
    const std::size_t end = (q + 1) * width;
    for (std::size_t i = q * selected; i < (q + 1) * selected && lists.items.size() < end; ++i) {
      if (items[i] < 0) break;
      if (std::ranges::binary_search(request.excluded, items[i])) continue;
      lists.items.push_back(items[i]);
      lists.scores.push_back(scores[i]);
    }
    if (lists.items.size() == end) continue;
    for (const NodeId item : left_out(request, static_cast<NodeId>(q))) {
      if (lists.items.size() == end) break;
      lists.items.push_back(item);
      lists.scores.push_back(std::numeric_limits<float>::lowest());
    }
  }
  return lists;
}

std::pair<NumpyIds, NumpyTable> to_numpy(Lists lists) {
  const auto width = static_cast<std::size_t>(lists.width);
  return {to_numpy(std::move(lists.items), width), to_numpy(std::move(lists.scores), width)};
}

}  // namespace tern::python
