#pragma once

#include <nanobind/nanobind.h>

#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "host/python/arrays.hpp"
#include "tern/interactions.hpp"
#include "tern/types.hpp"

namespace tern::python {

/// Lists of `width` items with their scores, a row a query.
struct Lists {
  std::int64_t width = 0;
  std::vector<NodeId> items;
  std::vector<float> scores;
};

/// What is ranked for each query. Ids are those of the model's items, ascending.
struct ListRequest {
  std::optional<Interactions> observed;  // (queries, items): left out
  std::vector<NodeId> candidates;        // only these are ranked; empty: all
  std::vector<NodeId> excluded;          // left out for every query
  std::int64_t length = 10;

  std::int64_t num_candidates(NodeId num_items) const;
  /// The width of the lists: min(length, candidates).
  std::int64_t width(NodeId num_items) const;
  /// How many of the best to select, so that enough are left without the excluded ones.
  std::int64_t selected(NodeId num_items) const;
};

/// The lists of a selection, (queries, selected()) items that are no longer `observed`, best first, -1 after
/// the end. As in implicit, a list that is too short goes on with the items that were left out, ascending,
/// whose score is the lowest number of f32.
Lists finish_lists(const ListRequest& request, NodeId num_items, std::span<const NodeId> items,
                   std::span<const float> scores);

/// (ids, scores), each (queries, width).
std::pair<NumpyIds, NumpyTable> to_numpy(Lists lists);

}  // namespace tern::python
