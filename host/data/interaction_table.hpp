#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "host/data/memory_budget.hpp"
#include "host/data/table.hpp"
#include "host/data/text_blocks.hpp"
#include "host/support/growing_array.hpp"
#include "tern/dataset.hpp"
#include "tern/types.hpp"
#include "tern/vocabulary.hpp"

namespace tern {

struct JsonLines {};
/// How the rows of interactions are written.
using RowFormat = std::variant<TableFormat, JsonLines>;

/// The least and the greatest of some ratings.
struct RatingRange {
  double least = std::numeric_limits<double>::infinity();
  double greatest = -std::numeric_limits<double>::infinity();

  void add(double rating) { add(RatingRange{rating, rating}); }
  void add(const RatingRange& other) {
    least = std::min(least, other.least);
    greatest = std::max(greatest, other.greatest);
  }
  friend bool operator==(const RatingRange&, const RatingRange&) = default;
};

/// The pairs of a table in file order, with their times.
struct InteractionTable {
  GrowingArray<Interaction> pairs;
  /// One for each pair; empty if there is no timestamp column.
  GrowingArray<double> times;
  bool has_times = false;
  std::int64_t below_min_rating = 0;
  /// Rows without a rating. They are dropped if there is a minimum.
  std::int64_t missing_ratings = 0;
  /// Rows that repeat the header, as in files that were joined; left out.
  std::int64_t repeated_headers = 0;
  std::int64_t blank_lines = 0;
  RatingRange ratings;                // of all rows
  std::string columns;                // description of the columns, for a note
  std::vector<std::string> warnings;  // sentences, for notes
};

/// Reads a table or JSON lines, and adds the ids to the two vocabularies in order of
/// first appearance, including those of rows below the minimum rating. Keeps no text but the names: the
/// memory that reading takes is that of the result, and of a block. Throws DataError at the first bad
/// row, at ids that are not UTF-8, at more names of a side than options.max_nodes, and if reading needs
/// more memory than is free.
InteractionTable parse_interactions(TextBlocks& text, const RowFormat& format,
                                    const DataOptions& options, Vocabulary& users,
                                    Vocabulary& items);
/// For tests: the same of a text in memory.
InteractionTable parse_interactions(std::string_view bytes, const std::string& file,
                                    const RowFormat& format, const DataOptions& options,
                                    Vocabulary& users, Vocabulary& items);
/// For tests: the same with a given chunk size, blocks of a few chunks, and a memory limit in bytes.
InteractionTable parse_interactions(std::string_view bytes, const std::string& file,
                                    const RowFormat& format, const DataOptions& options,
                                    Vocabulary& users, Vocabulary& items, std::size_t chunk_bytes,
                                    std::int64_t memory = MemoryBudget::kUnlimited);

}  // namespace tern
