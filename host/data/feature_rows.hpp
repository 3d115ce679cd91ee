#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "tern/dataset.hpp"
#include "tern/types.hpp"
#include "tern/vocabulary.hpp"

namespace tern {

// Which row of an array of features belongs to which node. Nodes are numbered in order of first
// appearance, so that the number of a node says nothing about the array of somebody who has numbers
// of his own.

/// Ids as numbers, before any filter.
struct IdNumbers {
  /// The largest of them if all are decimal numbers without leading zeros, else -1.
  std::int64_t largest = -1;
  /// One that is no such number.
  std::string other;
};
IdNumbers find_id_numbers(const Vocabulary& names);

/// The nodes whose features are read.
struct FeatureNodes {
  Side side = Side::kUser;
  const Vocabulary& names;
  IdNumbers numbers;
  /// A file with the id of each row a line.
  std::optional<std::filesystem::path> ids;
};

struct FeatureRows {
  std::vector<std::int64_t> of_node;  // -1: the array has no row for this node
  std::int64_t unknown = 0;           // rows of ids that are not in the data
  std::string rule;                   // for a note
};

/// Matches the rows of an array in `file` with nodes: by the file of ids if there is one, else row r
/// belongs to the id r. Throws DataError if there is no such file and an id is no number below num_rows,
/// if the file has another number of lines, an empty or a repeated one, or no id of the data.
FeatureRows match_rows(const std::string& file, std::int64_t num_rows, const FeatureNodes& nodes,
                       const DataOptions& options);

/// For an error: "items have ids such as \"b\"".
std::string example_of_ids(Side side, const Vocabulary& names);

}  // namespace tern
