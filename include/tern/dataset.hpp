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
  kGiven,        // train, test and valid files unchanged
  kRandom,       // per user: a random fraction, at least one, but not the user's only one
  kLeaveOneOut,  // per user: the last interaction to test, the one before to validation, but not the
                 // user's only one; ordered by time if there are times, else by place in the file
  kColdItems,    // a random share of the items, with all of their interactions, to test
  kTime,         // the newest fraction of all interactions, by timestamp, to test
};

/// How a file of interactions is laid out.
enum class DataFormat : std::uint8_t {
  kAuto,       // recognised by the file's first lines
  kTable,      // an interaction a row
  kAdjacency,  // "user item item ..." a line
  kJsonLines,  // an interaction a line, as a JSON object
};

/// Whether the first row of a table holds the names of its columns.
enum class HeaderRow : std::uint8_t { kAuto, kYes, kNo };

enum class TextEncoding : std::uint8_t { kUtf8, kLatin1 };

/// Whether files of features are read.
enum class FeatureFiles : std::uint8_t { kRead, kSkip };

/// How to read and split a data set. Methods other than kAuto and kGiven pool the train, test and
/// valid files, and split them anew.
struct DataOptions {
  SplitMethod split = SplitMethod::kAuto;
  /// In [0, 1); rounded to the nearest number of interactions, or of items for kColdItems. kGiven and
  /// kLeaveOneOut do not use it.
  double test_fraction = 0.2;
  /// In [0, 1): the share for validation of the interactions that are not in test; 0: no validation
  /// split. A given validation file is used unchanged. If unset, 0.1 for splits that Tern makes; a
  /// given training set stays whole, as in published results, and a note says that valid is empty.
  /// If set, validation is also cut from a given training set, at random per user. Leave-one-out
  /// holds out one interaction per user, unless this is 0.
  std::optional<double> valid_fraction;
  Seed split_seed{0};
  /// Users and items with fewer interactions are dropped, repeatedly, until all have as many. With
  /// given splits, whose ids and sizes are fixed, a ConfigError.
  int k_core = 0;
  /// Interactions with a lower rating are dropped and counted. Needs a rating column.
  std::optional<double> min_rating;
  /// The layout of the files of interactions. Recognised: JSON lines by their brace, tables by words or
  /// by fields that a separator divides alike in every line, adjacency lists by lines of different
  /// numbers of integers. Lines of three or more integers each can be both: users that repeat beside a
  /// third column of few values, or of times, make a table; users that do not repeat make a list, except
  /// if lines of three are only looked up in a run, which can well be one row a user.
  /// Anything else is a DataError that names both readings.
  DataFormat format = DataFormat::kAuto;
  /// Of a table: "auto", "tab", "comma", "semicolon", "pipe", "space" (any number of blanks), or the
  /// characters themselves: one that is no letter, digit, quote or line end, or "::".
  std::string separator = "auto";
  /// kAuto: the first row is a header if an option names a column; if a field is a known name of a user
  /// or item column (user, user_id, userId, item, movieId, ..., in any case; a colon and the text after
  /// it are ignored) or has one of RecBole's types; or if it has no number, but a column below it has
  /// only numbers or dates.
  HeaderRow header = HeaderRow::kAuto;
  TextEncoding encoding = TextEncoding::kUtf8;
  /// Columns of a table, or keys of JSON lines: a name in the header, or a position from 1; "none" skips
  /// ratings or timestamps. Empty: found by a known name in the header, else positions 1 (user), 2
  /// (item), 3 (rating, if it holds numbers) and 4 (timestamp). Without known names, a second column of
  /// dates and a third and last column of times are timestamps. A note names the columns that were found,
  /// and those that are not read.
  std::string user_column;
  std::string item_column;
  std::string rating_column;
  std::string timestamp_column;
  /// Limits against hostile input: bytes of one file after decompression, distinct ids of a side, and
  /// bytes of one side's features (a column of free text becomes a feature for each value).
  std::int64_t max_bytes = std::int64_t{64} << 30;
  std::int64_t max_nodes = 2'000'000'000;
  std::int64_t max_feature_bytes = std::int64_t{4} << 30;
  /// The most values of one column of a table of features that become categories: more are probably names
  /// or texts.
  std::int64_t max_categories = 1000;
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
  /// The number of nodes that add_new_nodes() has appended to each side.
  NodeId new_users = 0;
  NodeId new_items = 0;
  /// Repeated interactions that were left out; the newest of each is kept.
  std::int64_t duplicates = 0;
  /// For the log, a sentence each: files and columns read, drops, merges, unusual findings.
  std::vector<std::string> notes;
  /// Hash of the three splits. Data sets with equal fingerprints give the same training.
  std::uint64_t fingerprint = 0;
  /// Hash of the features of both sides; 0 without features.
  std::uint64_t feature_fingerprint = 0;
};

/// Loads a directory, a file or standard input, plain, gzip or zstd (recognised by content, not by name).
///
/// A directory holds either train (and test, valid), or interactions, as .txt, .tsv, .csv, .dat, .data,
/// .inter, .jsonl or .json; and optionally user_features and item_features as .npy, .npz, .tsv or .csv. Text
/// files may end in .gz or .zst. A note names other files. A single file may have any name; "-" is standard input. Files of
/// interactions are recognised by what they hold (DataOptions::format). Lines at their beginning that
/// start with "# " or "% " are comments.
///
/// Adjacency list: a user a line, "user item item ...", separated by blanks. "17" alone is a user
/// without items. Lines of the same user are merged. Ids are integers in [0, 2³¹ - 1). They are the
/// node ids themselves if the largest is below 2 · (distinct ids) + 1000 (missing ids become nodes of
/// degree 0), else nodes are numbered by ascending id. Any other ids need a table.
/// Table: an interaction a row. Ids are any UTF-8 up to 65,535 bytes without tab, newline and NUL.
/// Nodes are numbered in order of first appearance (train, then valid, then test), so that appended
/// rows do not change numbers. RFC 4180's quotes are read if the separator is a comma, semicolon or
/// pipe, or if a whole column has them; blanks around unquoted fields are left out, but not beside tabs.
/// Ratings are finite numbers, perhaps with a decimal comma. Timestamps are finite numbers of any unit
/// that grows with time, or dates: "2018-09-20", "2012-05-01 10:00:00", "2010-10-19T23:55:27Z",
/// "Wed Mar 22 11:37:04 -0700 2017".
/// JSON lines: an interaction a line, as an object with the keys of user, item, rating and timestamp.
///
/// Features: an .npy array, (rows, F) or (rows), of real numbers; the same as the only array of an .npz,
/// or there a sparse matrix by SciPy's save_npz (csr, csc or coo); or a table with a header, keyed by id. The ids
/// are in the column that DataOptions::user_column or item_column names, or has a known name (item_id,
/// movieId, id), or else in the first one with ids of the data; a table without any is a DataError. A
/// column is numeric if all of its values are numbers, but for missing ones (empty, \N, NA, NaN, null,
/// None), which count as the mean of the others. Any other column becomes a 0/1 column for each value,
/// "section=libs", in ascending order; `|` separates several values of one field. RecBole's types in
/// the header count: ":token" and ":token_seq" are categories. Nodes without a row get zeros.
/// The rows of an array belong to the ids in user_ids.txt or item_ids.txt beside it, one a line. Without
/// that file, row r belongs to the id r, if all ids of that side (before any filter) are numbers below
/// the number of rows; else a DataError, because nodes are numbered by their place in the data.
///
/// Linear in the size of the data, parallel, deterministic for every thread count. Throws DataError
/// with file and line of the first error, ConfigError on options that do not fit the data. Skipped
/// features cost no time; a note names their files.
Dataset load_dataset(const std::filesystem::path& path, const DataOptions& options = {},
                     FeatureFiles features = FeatureFiles::kRead);

/// The interactions of a file or a directory, all in train: neither split nor filtered by k-core, and
/// without features. Errors are those of load_dataset, and so are the notes, but for those on ids that
/// are unusual in a data set only, such as a single user.
Dataset load_interactions(const std::filesystem::path& path, const DataOptions& options = {});

/// Appends nodes without interactions to one side, from a table of their features (.tsv or .csv with a
/// header, keyed by id: the column with a known name, else the first that is no feature of the data).
/// Columns are matched by name: columns and values that the data lacks are left out; missing numbers get
/// the mean of their column in training, any other missing value is 0. Notes report these, and the nodes
/// without any known value. Throws DataError if the data has no features of that side,
/// an id is known or repeated, the table has no rows, or a numeric column holds words.
void add_new_nodes(Dataset& data, Side side, const std::filesystem::path& path,
                   const DataOptions& options = {});

}  // namespace tern
