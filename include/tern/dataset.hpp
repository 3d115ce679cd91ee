#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "tern/interactions.hpp"
#include "tern/types.hpp"
#include "tern/vocabulary.hpp"

namespace tern {

/// How held-out interactions are chosen if the data has no test set of its own.
enum class SplitMethod : std::uint8_t {
  kAuto,         // given if there is a test or a validation file, random otherwise
  kGiven,        // train, test and valid files as they are
  kRandom,       // per user: a random fraction, at least one, while one stays for training
  kLeaveOneOut,  // per user: the last interaction (by time if there are times, else by place in
                 // the file) to test, the one before to validation, while one stays for training
  kColdItems,    // a random share of the items, with all of their interactions, to test
  kTime,         // per data set: the newest fraction by timestamp
};

/// How to read a data set and how to split it. If there are train, test and valid files, a method
/// other than kAuto and kGiven pools them and splits anew.
struct DataOptions {
  SplitMethod split = SplitMethod::kAuto;
  /// In [0, 1); rounded to the nearest number of interactions, or of items by kColdItems. Not used
  /// by kGiven, kLeaveOneOut.
  double test_fraction = 0.2;
  /// In [0, 1): the share for validation of what the test split leaves; 0: no validation split.
  /// Unset: 0.1 if Tern makes the split. A given training set without a validation file then stays
  /// whole, as in published results: valid is empty, with a note. Set: taken from a given training
  /// set too, at random per user. A given validation file is used as it is. Leave-one-out holds out
  /// one interaction, unless this is 0.
  std::optional<double> valid_fraction;
  Seed split_seed{0};
  /// Users and items with fewer interactions are dropped, repeatedly, until none is left.
  /// Not for given splits (ConfigError), since their ids and sizes are given.
  int k_core = 0;
  /// Interactions rated below are dropped (and counted). Needs a rating column.
  std::optional<double> min_rating;
  /// Columns of a table: a header name, or a position from 1; "none" if ratings or timestamps shall
  /// not be read. Empty: recognised by the header, else positions 1, 2, (3 rating), (4 timestamp).
  /// The first row is a header if a column is asked for by name; or if one of its fields is a known
  /// name of a user or item column (user, user_id, userId, item, movieId, ..., in any case, without
  /// a colon and the text after it); or if its rating or timestamp is not a number, and that of the
  /// second row is. A note names the columns that were found.
  std::string user_column;
  std::string item_column;
  std::string rating_column;
  std::string timestamp_column;
  /// Limits for hostile input: bytes of one file after decompression, distinct ids of a side, and
  /// bytes of one side's features (free text would become one column for each value).
  std::int64_t max_bytes = std::int64_t{64} << 30;
  std::int64_t max_nodes = 2'000'000'000;
  std::int64_t max_feature_bytes = std::int64_t{4} << 30;
};

/// Dense features of one node set: (nodes, names.size()) row-major.
struct Features {
  std::vector<std::string> names;
  std::vector<float> values;
  std::int64_t width() const { return static_cast<std::int64_t>(names.size()); }
};

/// A loaded data set. All three splits have the same users and items.
struct Dataset {
  Vocabulary users;
  Vocabulary items;
  Interactions train;
  Interactions valid;
  Interactions test;
  std::optional<Features> user_features;
  std::optional<Features> item_features;
  /// Nodes that add_new_nodes() has added at the end of a side.
  NodeId new_users = 0;
  NodeId new_items = 0;
  /// Repeated interactions that were left out; the newest of each is kept.
  std::int64_t duplicates = 0;
  /// What was read, dropped, merged or unusual: one sentence each, for the log.
  std::vector<std::string> notes;
  /// Hash of the three splits: two data sets with equal fingerprints train alike.
  std::uint64_t fingerprint = 0;
  /// Hash of the features of both sides; 0: there are none.
  std::uint64_t feature_fingerprint = 0;
};

/// Loads a directory or a file, plain, gzip or zstd (recognised by content, not by name).
///
/// A directory holds either train (+ test, valid) as .txt, .tsv or .csv, or interactions.tsv|csv;
/// and optionally user_features / item_features as .npy or .tsv|csv. Each may end in .gz or .zst.
/// A file is an adjacency list (.txt) or a table (.tsv, .csv).
///
/// Adjacency list: a user a line, "user item item ...", blanks between; "17" alone is a user
/// without items; a user's further lines are merged. Ids are integers in [0, 2³¹ - 1): the node ids
/// themselves if the largest is at most 2 · (distinct ids) + 1000 (missing ids become nodes of
/// degree 0), else numbered in ascending order. Any other ids need a table.
/// Table: an interaction a row, ids any strings without tab, newline and NUL, up to 65,535 bytes,
/// numbered in order of first appearance (train, then valid, then test): no sorting, and ids stay
/// when rows are appended. .csv has RFC 4180's quotes; blanks around unquoted fields are left out.
/// Ratings and timestamps are finite numbers; timestamps any unit that grows with time.
///
/// Features: .npy, (nodes, F) or (nodes), rows in id order as above before any filter; or a table
/// with a header, keyed by its first column. A table's column is numeric when all of its non-empty
/// values are numbers: kept as they are, an empty one is 0. Any other column becomes a 0/1 column
/// for each value, "section=libs", in ascending order; `|` separates several values of one field.
/// Nodes without a row get zeros.
///
/// Linear in its size, parallel, deterministic for every thread count. Throws DataError with file
/// and line of the first thing wrong, ConfigError on options that do not fit the data.
Dataset load_dataset(const std::filesystem::path& path, const DataOptions& options = {});

/// Adds nodes without interactions at the end of one side, from a table of their features (.tsv or
/// .csv with a header, keyed by its first column). Columns are matched by name: columns and values
/// that the data does not have are left out; a column of numbers that the table lacks gets its
/// mean, any other missing value is 0; notes report both. Throws DataError if the data has no
/// features of that side, an id is known already or repeated, the table has no rows, or a column of
/// numbers holds words.
void add_new_nodes(Dataset& data, Side side, const std::filesystem::path& path,
                   const DataOptions& options = {});

}  // namespace tern
