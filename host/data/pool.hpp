#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "host/data/feature_rows.hpp"
#include "host/data/interaction_table.hpp"
#include "host/data/k_core.hpp"
#include "host/data/recognition.hpp"
#include "host/data/sources.hpp"
#include "host/data/split.hpp"
#include "host/support/growing_array.hpp"
#include "tern/dataset.hpp"
#include "tern/types.hpp"
#include "tern/vocabulary.hpp"

namespace tern {

/// The interactions of one file, in file order, as node ids.
struct PoolPart {
  GrowingArray<Interaction> pairs;
  GrowingArray<double> times;  // of every pair, or empty
};

/// One node set of a pool.
struct PoolSide {
  Vocabulary names;
  /// The number of nodes that were read, including nodes filtered out since.
  NodeId num_read = 0;
  /// Their ids, if the rows of an array of features have to be matched with them.
  std::optional<IdNumbers> numbers;
};

/// All interactions that were read, before they are split and made into matrices.
struct Pool {
  std::array<PoolPart, kSplitParts> parts;
  PoolSide users;
  PoolSide items;
  bool has_times = false;             // whether every part's pairs have one
  std::int64_t below_min_rating = 0;  // interactions that were dropped
  RatingRange ratings;                // of all interactions, dropped or not

  std::int64_t size() const;
};

/// Reads the files, and drops interactions below the minimum rating. Adds notes on each file and its
/// unusual content, and for a data set on ids that are unusual in one. Throws DataError, ConfigError.
Pool read_pool(const Sources& sources, const DataOptions& options, PoolUse use,
               std::vector<std::string>& notes);

// The steps of read_pool() that pools from memory take too.

/// Adds warnings of ids that are numbers written in two ways, and for a data set of a side with one id.
void warn_of_ids(const Pool& pool, PoolUse use, std::vector<std::string>& notes);

/// If interactions were dropped for their ratings, keeps these nodes alone. A note counts the others.
void drop_unrated(Pool& pool, const KeptNodes& kept, std::vector<std::string>& notes);

/// Throws DataError, naming the place, if no interaction is left in the first part, or a side has more
/// nodes than the options allow.
void check_pool(const Pool& pool, const std::string& place, const DataOptions& options,
                PoolUse use);

/// Drops the other nodes and their interactions, and renumbers the kept nodes in the same order.
void keep_nodes(Pool& pool, const KeptNodes& kept);

/// The nodes that have an interaction.
KeptNodes find_occurring(const Pool& pool);

}  // namespace tern
