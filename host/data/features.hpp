#pragma once

#include <span>
#include <string>
#include <vector>

#include "host/data/sources.hpp"
#include "tern/dataset.hpp"
#include "tern/types.hpp"
#include "tern/vocabulary.hpp"

namespace tern {

/// The nodes whose features are read.
struct FeatureNodes {
  const Vocabulary& names;
  /// The rows that an array must have: one for every node read, including nodes filtered out since.
  NodeId num_read = 0;
  /// The row of each remaining node; empty if all remain.
  std::span<const NodeId> rows;
};

/// Reads features as load_dataset describes. Adds unusual findings to notes. Throws DataError.
Features read_features(const Source& source, const FeatureNodes& nodes, const DataOptions& options,
                       std::vector<std::string>& notes);

}  // namespace tern
