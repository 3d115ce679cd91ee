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
/// its columns, on rows of unknown ids, and on nodes without a row. Throws DataError, in this order
/// of checks: on the first row of the wrong form, on a repeated id, on a number that is not finite,
/// and if the features would need more than options.max_feature_bytes.
Features parse_feature_table(std::string_view bytes, const std::string& file, TableFormat format,
                             const Vocabulary& names, const DataOptions& options,
                             std::vector<std::string>& notes);
/// The same, with these columns read as categories, whatever they hold.
Features parse_feature_table(std::string_view bytes, const std::string& file, TableFormat format,
                             const Vocabulary& names, const DataOptions& options,
                             const std::unordered_set<std::string>& categories,
                             std::vector<std::string>& notes);
/// The same with a given size of chunks, in bytes: for tests.
Features parse_feature_table(std::string_view bytes, const std::string& file, TableFormat format,
                             const Vocabulary& names, const DataOptions& options,
                             std::vector<std::string>& notes, std::size_t chunk_bytes);

}  // namespace tern
