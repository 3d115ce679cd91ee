#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "host/data/table.hpp"
#include "tern/dataset.hpp"
#include "tern/types.hpp"
#include "tern/vocabulary.hpp"

namespace tern {

/// The kind of the values of a column. RecBole writes it behind a name: "year:token".
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

/// Signs, in the first rows, that a column holds the ids.
struct KeyEvidence {
  double share = 0.0;    // of the rows whose value is one of the ids
  bool repeats = false;  // a value occurs twice
};
std::vector<KeyEvidence> find_evidence(std::string_view text, const std::string& file,
                                       const TableFormat& format, const Vocabulary& ids);

/// The column that holds the ids of a side: the one that data.user_column or data.item_column names; one
/// with a known name (item_id, movieId, id), even if it has no ids of the data, unless its values repeat;
/// without such a name the first column of mostly ids, or of any; titles and names only if no other
/// column has an id. evidence: one for each column.
std::size_t find_key(const FeatureHeader& header, Side side, const DataOptions& options,
                     const std::vector<KeyEvidence>& evidence);

}  // namespace tern
