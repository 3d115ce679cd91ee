#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "host/data/memory_budget.hpp"
#include "tern/types.hpp"

namespace tern {

/// An adjacency list with the raw ids, in file order.
struct AdjacencyList {
  std::vector<Interaction> pairs;
  /// The user of every line.
  std::vector<NodeId> users;
  std::int64_t blank_lines = 0;
};

/// Reads "user item item ..." lines. Ids are integers in [0, 2³¹ - 1). Throws DataError at the
/// first line of another form, and if reading needs more memory than is free. file: the name in
/// errors.
AdjacencyList parse_adjacency(std::string_view bytes, const std::string& file);
/// For tests: the same with a given chunk size and memory limit, in bytes.
AdjacencyList parse_adjacency(std::string_view bytes, const std::string& file,
                              std::size_t chunk_bytes,
                              std::int64_t memory = MemoryBudget::kUnlimited);

}  // namespace tern
