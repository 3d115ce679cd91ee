#pragma once

#include <string>
#include <vector>

#include "host/data/feature_rows.hpp"
#include "host/data/sources.hpp"
#include "tern/dataset.hpp"

namespace tern {

/// Reads features as load_dataset describes. Adds unusual findings to notes. Throws DataError.
Features read_features(const Source& source, const FeatureNodes& nodes, const DataOptions& options,
                       std::vector<std::string>& notes);

}  // namespace tern
