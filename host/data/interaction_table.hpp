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

/// An interaction table: pairs in file order, with their times.
struct InteractionTable {
  std::vector<Interaction> pairs;
  /// One for each pair; empty if there is no such column.
  std::vector<double> times;
  bool has_times = false;
  std::int64_t below_min_rating = 0;
  std::int64_t blank_lines = 0;
  std::string columns;  // which columns were found, for a note
};

/// Reads a table whose ids are numbered by the two vocabularies, which grow: in order of first
/// appearance, rows below the minimum rating included. Throws DataError at the first bad row, at
/// more names of a side than options.max_nodes, and if reading needs more memory than is free.
InteractionTable parse_interactions(std::string_view bytes, const std::string& file,
                                    TableFormat format, const DataOptions& options,
                                    Vocabulary& users, Vocabulary& items);
/// The same with given sizes of chunks and of memory, in bytes: for tests.
InteractionTable parse_interactions(std::string_view bytes, const std::string& file,
                                    TableFormat format, const DataOptions& options,
                                    Vocabulary& users, Vocabulary& items, std::size_t chunk_bytes,
                                    std::int64_t memory = MemoryBudget::kUnlimited);

}  // namespace tern
