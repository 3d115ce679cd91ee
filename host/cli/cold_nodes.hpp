#pragma once

#include <string_view>
#include <vector>

#include "host/cli/console.hpp"
#include "host/serve/cold_nodes.hpp"

namespace tern::cli {

/// Those of the ids that are not cold. The console gets the number of the others; what: "items".
std::vector<NodeId> without_cold(const std::vector<NodeId>& ids, const std::vector<bool>& cold,
                                 std::string_view what, Console& console);

}  // namespace tern::cli
