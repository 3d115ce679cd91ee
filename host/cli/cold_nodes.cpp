#include "host/cli/cold_nodes.hpp"

#include <fmt/format.h>

#include "host/cli/format.hpp"

namespace tern::cli {

std::vector<NodeId> without_cold(const std::vector<NodeId>& ids, const std::vector<bool>& cold,
                                 std::string_view what, Console& console) {
  std::vector<NodeId> known;
  known.reserve(ids.size());
  for (const NodeId id : ids) {
    if (!cold[static_cast<std::size_t>(id)]) known.push_back(id);
  }
  if (known.size() < ids.size()) {
    console.line(
        fmt::format("{} without training interactions, left out unless --cold is given: "
                    "{} of {}",
                    what, grouped(static_cast<std::int64_t>(ids.size() - known.size())),
                    grouped(static_cast<std::int64_t>(ids.size()))));
  }
  return known;
}

}  // namespace tern::cli
