#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "host/data/table.hpp"
#include "tern/dataset.hpp"
#include "tern/types.hpp"
#include "tern/vocabulary.hpp"

namespace tern {

/// What the values of a column are. RecBole writes it behind a name: "year:token".
enum class FeatureKind {
  kAny,       // numbers if all values are, else categories
  kCategory,  // ":token": categories, even if all are numbers
  kWords,     // ":token_seq": categories between blanks
  kVector,    // ":float_seq": not read
};

/// The first row of a table of features.
struct FeatureHeader {
  std::vector<std::string>
      names;  // without types; only the first may be empty, as pandas writes an index
  std::vector<FeatureKind> kinds;
  const char* rows = nullptr;  // the place behind the header
};

/// Throws DataError if there are fewer than two columns, or a name is missing, a number, or repeated.
FeatureHeader read_feature_header(std::string_view text, const std::string& file,
                                  const TableFormat& format);

/// For each column the share of the first rows whose value is one of the ids; 0 if a value repeats, so
/// that no row of ids can be there.
std::vector<double> shares_of_ids(std::string_view text, const std::string& file,
                                  const TableFormat& format, const Vocabulary& ids);

/// The column that holds the ids of a side: the one that data.user_column or data.item_column names; one
/// with a known name (item_id, movieId, id) and a positive share; the first column of mostly ids; the
/// first with any; titles and names only if no other column has an id; else the first known name, or the
/// first column. shares: one for each column.
std::size_t find_key(const FeatureHeader& header, Side side, const DataOptions& options,
                     const std::vector<double>& shares);

}  // namespace tern
