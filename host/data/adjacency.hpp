#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "host/data/memory_budget.hpp"
#include "host/data/text_blocks.hpp"
#include "host/support/growing_array.hpp"
#include "tern/types.hpp"

namespace tern {

/// An adjacency list with the raw ids, in file order.
struct AdjacencyList {
  GrowingArray<Interaction> pairs;
  /// The user of every line.
  GrowingArray<NodeId> users;
  std::int64_t blank_lines = 0;
};

/// Reads "user item item ..." lines. Ids are integers in [0, 2³¹ - 1). The memory that reading takes is that
/// of the result, and of a block. Throws DataError at the first line of another form, and if reading needs
/// more memory than is free.
AdjacencyList parse_adjacency(TextBlocks& text);
/// For tests: the same of a text in memory; file: the name in errors.
AdjacencyList parse_adjacency(std::string_view bytes, const std::string& file);
/// For tests: the same with a given chunk size, blocks of a few chunks, and a memory limit in bytes.
AdjacencyList parse_adjacency(std::string_view bytes, const std::string& file,
                              std::size_t chunk_bytes,
                              std::int64_t memory = MemoryBudget::kUnlimited);

}  // namespace tern
