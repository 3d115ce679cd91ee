#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "host/data/memory_budget.hpp"
#include "host/data/table.hpp"
#include "tern/dataset.hpp"
#include "tern/types.hpp"
#include "tern/vocabulary.hpp"

namespace tern {

/// An interaction table: pairs in file order, and what went with them.
struct InteractionTable {
  std::vector<Interaction> pairs;
  /// Of every pair; empty where there is no such column.
  std::vector<double> times;
  bool has_times = false;
  std::int64_t below_min_rating = 0;
  std::int64_t blank_lines = 0;
  std::string columns;  // what was taken for what
};

/// Reads a table whose ids are numbered by the two vocabularies, which grow: in order of first
/// appearance, rows below the minimum rating included. Throws DataError at the first bad row, at
/// more names of a side than options.max_nodes, and where it takes more memory than is free.
InteractionTable parse_interactions(std::string_view bytes, const std::string& file,
                                    TableFormat format, const DataOptions& options,
                                    Vocabulary& users, Vocabulary& items);
/// The same, cut into chunks of this many bytes, in so many bytes of memory: for tests.
InteractionTable parse_interactions(std::string_view bytes, const std::string& file,
                                    TableFormat format, const DataOptions& options,
                                    Vocabulary& users, Vocabulary& items, std::size_t chunk_bytes,
                                    std::int64_t memory = MemoryBudget::kUnlimited);

}  // namespace tern
