#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "host/data/table.hpp"
#include "tern/dataset.hpp"
#include "tern/types.hpp"
#include "tern/vocabulary.hpp"

namespace tern {

/// The columns of training, for a table of new nodes.
struct KnownColumns {
  std::unordered_set<std::string> names;       // others are left out
  std::unordered_set<std::string> categories;  // those that are categories even if all are numbers
};

/// How a table of features is read.
struct FeatureTableTask {
  Side side = Side::kUser;
  TableFormat format;
  /// The column of ids; if unset, found by find_key().
  std::optional<std::size_t> key;
  const KnownColumns* known = nullptr;
  std::size_t chunk_bytes = 0;  // for tests; 0: chunk_bytes_for(bytes)
};

/// Reads features from a table keyed by id, as load_dataset describes. Adds notes on its columns, on
/// missing values, on rows of unknown ids, and on nodes without a row. Throws DataError, checking in
/// this order: a row of the wrong form, a repeated id, no row of a node, a number that is not finite, a
/// column of more than options.max_categories values, features larger than options.max_feature_bytes.
/// With known columns, a missing number is NaN, which the caller replaces; without, the column's mean.
Features parse_feature_table(std::string_view bytes, const std::string& file,
                             const FeatureTableTask& task, const Vocabulary& names,
                             const DataOptions& options, std::vector<std::string>& notes);

}  // namespace tern
