#pragma once

#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "host/data/table.hpp"
#include "tern/dataset.hpp"
#include "tern/vocabulary.hpp"

namespace tern {

/// Reads features from a table keyed by its first column, as load_dataset describes. Adds notes on
/// its columns, on rows of unknown ids, and on nodes without a row. Throws DataError, checking in
/// this order: a row of the wrong form, a repeated id, a number that is not finite, features larger
/// than options.max_feature_bytes. Columns named in `categories` are categories even if all of
/// their values are numbers. chunk_bytes: for tests; 0 means chunk_bytes_for(bytes).
Features parse_feature_table(std::string_view bytes, const std::string& file, TableFormat format,
                             const Vocabulary& names, const DataOptions& options,
                             std::vector<std::string>& notes, std::size_t chunk_bytes = 0,
                             const std::unordered_set<std::string>& categories = {});

}  // namespace tern
