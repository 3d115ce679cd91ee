#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "host/data/sources.hpp"
#include "host/data/table.hpp"
#include "tern/dataset.hpp"

namespace tern {

/// A text of interactions. A name such as "ratings.csv" decides only between readings that are equally
/// likely.
struct InteractionText {
  std::string_view bytes;
  std::string file;  // the name in errors
  SourceFormat by_name = SourceFormat::kUnknown;
};

/// How a text is read.
struct Reading {
  DataFormat format = DataFormat::kTable;  // never kAuto
  TableFormat table;                       // of a table
  /// For a note: "comma-separated", "a table, because users repeat ...".
  std::string description;
};

/// The use of interactions: a whole data set to train on, or rows whose ids are looked up in a run, which
/// can well be those of a single user.
enum class PoolUse : bool { kDataset, kRows };

/// How the texts of one data set are read: as the options ask, else by their first lines, as
/// DataOptions::format describes. In rows to look up, users need not repeat: lines of three integers are
/// then refused, unless they show what they are. Either all are adjacency lists or none is. Throws DataError if a text
/// can be read in two ways, or in none, with the option that decides.
std::vector<Reading> recognise(std::span<const InteractionText> texts, const DataOptions& options,
                               PoolUse use = PoolUse::kDataset);

/// The separator of a table, by the option or by the first rows. Throws DataError.
TableFormat recognise_separator(const InteractionText& text, const DataOptions& options);

}  // namespace tern
