#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "tern/dataset.hpp"

namespace tern::testing {

/// "user item" by name, sorted.
inline std::vector<std::string> named_pairs(const Dataset& data, const Interactions& split) {
  std::vector<std::string> pairs;
  for (NodeId user = 0; user < split.num_users(); ++user) {
    for (const NodeId item : split.row(user)) {
      pairs.push_back(data.users.name(user).append(" ").append(data.items.name(item)));
    }
  }
  std::sort(pairs.begin(), pairs.end());
  return pairs;
}

}  // namespace tern::testing
