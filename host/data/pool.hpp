#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "host/data/k_core.hpp"
#include "host/data/sources.hpp"
#include "host/data/split.hpp"
#include "tern/dataset.hpp"
#include "tern/types.hpp"
#include "tern/vocabulary.hpp"

namespace tern {

/// The interactions of one file, in its order, under node ids.
struct PoolPart {
  std::vector<Interaction> pairs;
  std::vector<double> times;  // of every pair, or empty
};

/// One node set of a pool.
struct PoolSide {
  Vocabulary names;
  /// Nodes that were read, and of each node that stayed, its number among them; rows is empty while
  /// all are there.
  NodeId num_read = 0;
  std::vector<NodeId> rows;
};

/// Everything that was read, before it is split and made into matrices.
struct Pool {
  std::array<PoolPart, kSplitParts> parts;
  PoolSide users;
  PoolSide items;
  bool has_times = false;  // whether every part's pairs have one

  std::int64_t size() const;
};

/// Reads the files, and drops what is rated too low. Adds a note on each file, and on whatever was
/// odd in it. Throws DataError, ConfigError.
Pool read_pool(const Sources& sources, const DataOptions& options, std::vector<std::string>& notes);

/// Drops nodes, with their interactions, and renumbers the rest in the same order.
void keep_nodes(Pool& pool, const KeptNodes& kept);

/// The nodes that have an interaction.
KeptNodes find_occurring(const Pool& pool);

}  // namespace tern
