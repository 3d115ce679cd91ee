#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "host/data/memory_budget.hpp"
#include "tern/types.hpp"

namespace tern {

/// An adjacency list as it stands in the file: raw ids, in file order.
struct AdjacencyList {
  std::vector<Interaction> pairs;
  /// The user of every line.
  std::vector<NodeId> users;
  std::int64_t blank_lines = 0;
};

/// Reads "user item item ..." lines. Ids are integers in [0, 2³¹ - 1). Throws DataError at the
/// first line that is anything else, and where it takes more memory than is free. file names the
/// text in errors.
AdjacencyList parse_adjacency(std::string_view bytes, const std::string& file);
/// The same, cut into chunks of this many bytes, in so many bytes of memory: for tests.
AdjacencyList parse_adjacency(std::string_view bytes, const std::string& file,
                              std::size_t chunk_bytes,
                              std::int64_t memory = MemoryBudget::kUnlimited);

}  // namespace tern
