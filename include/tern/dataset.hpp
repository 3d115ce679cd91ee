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

/// How held-out interactions are chosen where the data does not bring its own test set.
enum class SplitMethod : std::uint8_t {
  kAuto,         // given where there is a test or a validation file, random otherwise
  kGiven,        // train, test and valid files as they are
  kRandom,       // per user: a random fraction, at least one, while one stays for training
  kLeaveOneOut,  // per user: the last interaction (by time where there is one, else by place in the
                 // file) to test, the one before to validation, while one stays for training
  kColdItems,    // a random share of the items, with all of their interactions, to test
  kTime,         // per data set: the newest fraction by timestamp
};

/// How to read a data set and how to cut it. Where files are given as train, test and valid,
/// another method than kAuto and kGiven pools them and cuts anew.
struct DataOptions {
  SplitMethod split = SplitMethod::kAuto;
  /// In [0, 1); rounded to the nearest number of interactions, or of items by kColdItems. Not used
  /// by kGiven, kLeaveOneOut.
  double test_fraction = 0.2;
  /// In [0, 1), of what is left for training after the test split; 0: no validation split.
  /// Unset: 0.1 where Tern makes the split; but nothing is ever cut from a given training set that
  /// brings no validation file, so that it stays whole as published results have it (then valid is
  /// empty, and a note says so). Set: cut from the given training set too, at random per user.
  /// A given validation file is used as it is. Leave-one-out holds out one, unless this is 0.
  std::optional<double> valid_fraction;
  Seed split_seed{0};
  /// Users and items with fewer interactions are dropped, again and again until none is left.
  /// Not for given splits (ConfigError), whose ids and sizes are part of what is given.
  int k_core = 0;
  /// Interactions rated below are dropped (and counted). Needs a rating column.
  std::optional<double> min_rating;
  /// Columns of a table: a header name, or a position from 1; "none" where there is no rating or
  /// timestamp to be read. Empty: recognised by the header, else positions 1, 2, (3 rating),
  /// (4 timestamp). The first row is a header when a column is asked for by name; when one of its
  /// fields is a known name of a user or item column (user, user_id, userId, item, movieId, ...,
  /// whatever the case; what follows a colon is left out); or when its rating or timestamp is not a
  /// number, and that of the second row is. A note says what was taken for what.
  std::string user_column;
  std::string item_column;
  std::string rating_column;
  std::string timestamp_column;
  /// Guards against hostile input: bytes of one file after decompression, distinct ids a side, and
  /// bytes of one side's features (a column of free text would become one column a value).
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
  /// Nodes that add_new_nodes() has put at the end of a side.
  NodeId new_users = 0;
  NodeId new_items = 0;
  /// Repeats of an interaction that were read and left out; of a repeat the newest is kept.
  std::int64_t duplicates = 0;
  /// What was read, dropped, deduplicated or found odd: one sentence each, for the log.
  std::vector<std::string> notes;
  /// Hash of the three splits: two data sets with equal fingerprints train alike.
  std::uint64_t fingerprint = 0;
  /// Hash of the features of both sides; 0: there are none.
  std::uint64_t feature_fingerprint = 0;
};

/// Loads a directory or a file, plain, gzip or zstd (told by content, not by name).
///
/// A directory holds either train (+ test, valid) as .txt, .tsv or .csv, or interactions.tsv|csv;
/// and optionally user_features / item_features as .npy or .tsv|csv. Each may end in .gz or .zst.
/// A file is an adjacency list (.txt) or a table (.tsv, .csv).
///
/// Adjacency list: a user a line, "user item item ...", blanks between; "17" alone is a user
/// without items; a user's further lines are merged. Ids are integers in [0, 2³¹ - 1): the node ids
/// themselves where the largest is at most 2 · (distinct ids) + 1000 (ids between that never occur
/// become nodes of degree 0), else numbered in ascending order. Any other ids need a table.
/// Table: an interaction a row, ids any strings without tab, newline and NUL, up to 65,535 bytes,
/// numbered in order of first appearance (train, then valid, then test): no sorting, and ids stay
/// when rows are appended. .csv has RFC 4180's quotes; blanks around unquoted fields are left out.
/// Ratings and timestamps are finite numbers; timestamps any unit that grows with time.
///
/// Features: .npy, (nodes, F) or (nodes), rows in id order as above before any filter; or a table
/// with a header, keyed by its first column. A table's column is numeric when all of its non-empty
/// values are numbers: kept as they are, an empty one is 0. Any other column becomes a 0/1 column
/// for each value, "section=libs", in ascending order; values hold several where `|` divides them.
/// Nodes without a row get zeros.
///
/// Linear in its size, parallel, deterministic for every thread count. Throws DataError with file
/// and line of the first thing wrong, ConfigError on options that do not fit the data.
Dataset load_dataset(const std::filesystem::path& path, const DataOptions& options = {});

/// Puts nodes at the end of one side that nobody has interacted with, known by a table of features
/// (.tsv or .csv with a header, keyed by its first column). Its columns are the data's by name:
/// columns and values that the data does not have are left out; a column of numbers that the table
/// does not have is taken at its mean, any other missing value is 0; notes say so. Throws DataError
/// where the data has no features of that side, where an id is known already or repeated, where the
/// table has no rows, and where a column of numbers holds words.
void add_new_nodes(Dataset& data, Side side, const std::filesystem::path& path,
                   const DataOptions& options = {});

}  // namespace tern
