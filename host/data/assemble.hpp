#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "host/data/pool.hpp"
#include "tern/dataset.hpp"
#include "tern/interactions.hpp"

namespace tern {

/// The source of a pool's interactions.
struct DataOrigin {
  std::string place;  // for messages: a path, or "interactions in memory"
  bool has_valid = false;
  bool has_test = false;

  bool has_held_out() const { return has_valid || has_test; }
};

/// Throws ConfigError if an option is out of its range.
void check_data_options(const DataOptions& options);

/// Resolves kAuto for this data. Throws ConfigError if the options do not fit the data.
SplitMethod choose_split(const DataOrigin& origin, const DataOptions& options);

/// Moves all pairs into the first part.
void merge_parts(Pool& pool);

/// The matrix of a part. The number of repeats is added to *duplicates.
Interactions to_interactions(const Pool& pool, std::size_t part, std::int64_t* duplicates);

/// Filters and splits the interactions of a pool, and makes a data set of them, without features, with
/// its fingerprint. The pool is left without pairs and names. notes: those on the reading. Throws
/// ConfigError as choose_split() does and if a split by time has no times, DataError if a filter leaves
/// nothing.
Dataset assemble(Pool& pool, const DataOrigin& origin, const DataOptions& options,
                 std::vector<std::string> notes);

}  // namespace tern
