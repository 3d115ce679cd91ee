#include "host/data/cold_items.hpp"

#include <utility>

namespace tern {

std::vector<NodeId> cold_items(const Interactions& train) {
  std::vector<bool> occurs(static_cast<std::size_t>(train.num_items()), false);
  for (const NodeId item : train.items()) occurs[item] = true;
  std::vector<NodeId> items;
  for (NodeId item = 0; item < train.num_items(); ++item) {
    if (!occurs[item]) items.push_back(item);
  }
  return items;
}

Interactions restrict_items(const Interactions& interactions, std::span<const NodeId> items) {
  std::vector<NodeId> place(static_cast<std::size_t>(interactions.num_items()), -1);
  for (std::size_t i = 0; i < items.size(); ++i) place[items[i]] = static_cast<NodeId>(i);
  std::vector<EdgeOffset> offsets{0};
  std::vector<NodeId> kept;
  for (NodeId user = 0; user < interactions.num_users(); ++user) {
    for (const NodeId item : interactions.row(user)) {
      if (place[item] >= 0) kept.push_back(place[item]);
    }
    offsets.push_back(static_cast<EdgeOffset>(kept.size()));
  }
  return Interactions(interactions.num_users(), static_cast<NodeId>(items.size()),
                      std::move(offsets), std::move(kept));
}

}  // namespace tern
