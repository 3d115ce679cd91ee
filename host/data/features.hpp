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
  /// Rows of an array: one for every node that was read, including those filtered out since.
  NodeId num_read = 0;
  /// The row of each node that is left; empty: all are left.
  std::span<const NodeId> rows;
};

/// Reads features as load_dataset describes. Adds unusual findings to notes. Throws DataError.
Features read_features(const Source& source, const FeatureNodes& nodes, const DataOptions& options,
                       std::vector<std::string>& notes);

}  // namespace tern
