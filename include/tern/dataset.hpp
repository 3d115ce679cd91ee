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
  kAuto,         // given where there is a test file, random otherwise
  kGiven,        // train.txt / test.txt / valid.txt as they are
  kRandom,       // per user: a random fraction, at least one, while one stays for training
  kLeaveOneOut,  // per user: the last interaction (by time where there is one) to test, the one
                 // before to validation
  kTime,         // per data set: the newest fraction by timestamp
};

struct DataOptions {
  SplitMethod split = SplitMethod::kAuto;
  double test_fraction = 0.2;
  /// Of what is left for training after the test split; 0: no validation split.
  double valid_fraction = 0.1;
  Seed split_seed{0};
  /// Users and items with fewer interactions are dropped, again and again until none is left.
  int k_core = 0;
  /// Interactions rated below are dropped (and counted). Needs a rating column.
  std::optional<double> min_rating;
  /// Columns of a table: a header name, or a position from 1. Empty: recognised by the header
  /// (user, user_id, userId, ...), else positions 1, 2, (3 rating), (4 timestamp).
  std::string user_column;
  std::string item_column;
  std::string rating_column;
  std::string timestamp_column;
  /// Guards against hostile input: bytes after decompression, and distinct ids a side.
  std::int64_t max_bytes = std::int64_t{64} << 30;
  std::int64_t max_nodes = 2'000'000'000;
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
  /// What was read, dropped, deduplicated or found odd: one sentence each, for the log.
  std::vector<std::string> notes;
  /// Hash of the three splits: two data sets with equal fingerprints train alike.
  std::uint64_t fingerprint = 0;
};

/// Loads a directory or a file. A directory: train.txt (+ test.txt, valid.txt) adjacency lists, or
/// interactions.tsv|csv; each may end in .gz or .zst; with user_features / item_features as .npy
/// (rows in id order) or .tsv keyed by id. A file: an adjacency list (.txt) or a table (.tsv,
/// .csv). Linear in its size, parallel, deterministic for every thread count. Throws DataError with
/// file and line, ConfigError on options that do not fit the data.
Dataset load_dataset(const std::filesystem::path& path, const DataOptions& options = {});

}  // namespace tern
