#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>

#include "host/data/split.hpp"
#include "host/data/table.hpp"

namespace tern {

enum class SourceFormat : std::uint8_t { kAdjacency, kTsv, kCsv, kNpy };

/// A file, and its format by its name without ".gz" or ".zst".
struct Source {
  std::filesystem::path path;
  SourceFormat format = SourceFormat::kAdjacency;

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

  bool has_held_out() const { return interactions[1].has_value() || interactions[2].has_value(); }
};

/// Finds the files at a path as load_dataset describes. Throws DataError if there is nothing to
/// load, if two files hold the same part, and if adjacency lists and tables are mixed.
Sources find_sources(const std::filesystem::path& path);

/// The format by a file's name. Throws DataError if the name does not show it.
Source file_source(const std::filesystem::path& path);

}  // namespace tern
