#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "host/data/split.hpp"
#include "host/data/table.hpp"

namespace tern {

/// The format that a file's name suggests.
enum class SourceFormat : std::uint8_t {
  kAdjacency,  // .txt
  kTsv,
  kCsv,
  kNpy,
  kNpz,
  kOtherTable,  // .dat, .data, .inter
  kJson,        // .jsonl
  kUnknown,
};

/// A file, and its format by its name without ".gz" or ".zst". The path "-" is standard input.
struct Source {
  std::filesystem::path path;
  SourceFormat format = SourceFormat::kAdjacency;

  bool is_standard_input() const { return path == "-"; }
  /// The names in errors and in notes.
  std::string file() const { return is_standard_input() ? "standard input" : path.string(); }
  std::string name() const { return is_standard_input() ? file() : path.filename().string(); }

  bool is_array() const { return format == SourceFormat::kNpy || format == SourceFormat::kNpz; }
  TableFormat table_format() const {
    return format == SourceFormat::kCsv ? TableFormat::kCsv : TableFormat::kTsv;
  }
};

/// The files of a data set.
struct Sources {
  /// Indexed by SplitPart. A single file, yet to be split, is at kTrain.
  std::array<std::optional<Source>, kSplitParts> interactions;
  std::optional<Source> user_features;
  std::optional<Source> item_features;
  /// The ids of the rows of an array of features, if they are there.
  std::optional<std::filesystem::path> user_ids;
  std::optional<std::filesystem::path> item_ids;
  /// Names of other files in the directory, without those for people, such as README.md.
  std::vector<std::string> unread;

  bool has_held_out() const { return interactions[1].has_value() || interactions[2].has_value(); }
};

/// Finds the files at a path as load_dataset describes. Throws DataError if there is nothing to
/// load, and if two files hold the same part.
Sources find_sources(const std::filesystem::path& path);

/// The format of a table of features by its file's name. Throws DataError if the name does not show it.
Source file_source(const std::filesystem::path& path);

}  // namespace tern
