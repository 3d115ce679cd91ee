#pragma once

#include <span>
#include <string>
#include <vector>

#include "host/data/sources.hpp"
#include "tern/dataset.hpp"
#include "tern/types.hpp"
#include "tern/vocabulary.hpp"

namespace tern {

/// The nodes that features are wanted for.
struct FeatureNodes {
  const Vocabulary& names;
  /// The rows of an array, one for every node that was read: some may have been filtered out.
  NodeId num_read = 0;
  /// Of each node that stayed, its row; empty: all stayed.
  std::span<const NodeId> rows;
};

/// Reads features as load_dataset describes. Adds what was found odd to notes. Throws DataError.
Features read_features(const Source& source, const FeatureNodes& nodes, const DataOptions& options,
                       std::vector<std::string>& notes);

}  // namespace tern
