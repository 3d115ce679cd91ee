#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "tern/dataset.hpp"
#include "tern/external_id.hpp"
#include "tern/types.hpp"

namespace tern {

/// The split of an interaction; also the index of that split in arrays of three.
enum class SplitPart : std::uint8_t { kTrain, kValid, kTest };

/// The rating, the timestamp and the split of an interaction.
struct InteractionDetails {
  /// Finite. Used only by DataOptions::min_rating, as in files.
  std::optional<double> rating = std::nullopt;
  /// Finite, of any unit that grows with time. Either all interactions have one or none.
  std::optional<double> timestamp = std::nullopt;
  SplitPart part = SplitPart::kTrain;
};

/// Makes a data set from interactions in memory:
///
///   tern::DatasetBuilder builder;
///   builder.add("ann", "tea");
///   builder.add(17, "milk", {.rating = 4.5});
///   const tern::Dataset data = builder.build();
///
/// The result is that of load_dataset() for a table of the same rows: nodes are numbered in order of first
/// appearance, ids have the same rules (UTF-8 of 1 to 65,535 bytes without tab, line ends and NUL; blanks
/// count), filters and splits are those of the options, and the fingerprints are equal. So a run that was
/// made from memory goes on with a file of the same interactions, and not with others.
///
/// Memory: 8 bytes an interaction, 8 more with timestamps, and the names. An object is used by one thread at
/// a time.
class DatasetBuilder {
 public:
  /// options: those about files (format, separator, header, columns, encoding, max_bytes) have no effect.
  /// Throws ConfigError if one is out of range.
  explicit DatasetBuilder(const DataOptions& options = {});
  DatasetBuilder(DatasetBuilder&&) noexcept;
  DatasetBuilder& operator=(DatasetBuilder&&) noexcept;
  ~DatasetBuilder();

  /// Adds an interaction. With the first one in kValid or kTest, the split is a given one, unless
  /// options.split asks for another. Throws DataError, with the number of the interaction from 1 as its
  /// line, on an id or a number that breaks the rules; nothing is added then.
  DatasetBuilder& add(ExternalId user, ExternalId item, const InteractionDetails& details = {});

  /// Adds a node that may stay without interactions, unless it has been added. With options.k_core, nodes
  /// without interactions are dropped. Throws DataError on a bad id.
  DatasetBuilder& add_node(Side side, ExternalId id);

  /// Sets the features of one side. values: (ids.size(), columns.size()) row-major, finite; row r belongs to
  /// ids[r]. Rows of ids that the data lacks are left out, and nodes without a row get zeros; notes count
  /// both. Throws DataError if there is no column, a column or an id is empty or occurs twice, or the sizes
  /// do not match.
  DatasetBuilder& set_features(Side side, std::vector<std::string> columns,
                               const std::vector<std::string>& ids, std::span<const float> values);

  /// The same from the text of a table as in item_features.csv: a header, commas, ids in the first column, other
  /// columns of numbers or categories (load_dataset() describes them). Missing numbers count as the mean of their
  /// column. Checked by build(), whose errors count lines with the header.
  DatasetBuilder& set_feature_table(Side side, std::string table);

  /// The data set. The builder is empty afterwards, with the same options. Throws DataError if no
  /// interaction is left to train on, some but not all interactions have a timestamp, or no row of features belongs to a
  /// node; ConfigError if the options do not fit the data. After an error the builder is empty too.
  Dataset build();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tern
