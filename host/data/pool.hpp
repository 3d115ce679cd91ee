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
  /// The number of nodes that were read, and the index among them of each node that is left; rows
  /// is empty while all are left.
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

/// Reads the files, and drops interactions with too low a rating. Adds notes on each file and on
/// anything unusual in it. Throws DataError, ConfigError.
Pool read_pool(const Sources& sources, const DataOptions& options, std::vector<std::string>& notes);

/// Drops nodes, with their interactions, and renumbers the rest in the same order.
void keep_nodes(Pool& pool, const KeptNodes& kept);

/// The nodes that have an interaction.
KeptNodes find_occurring(const Pool& pool);

}  // namespace tern
