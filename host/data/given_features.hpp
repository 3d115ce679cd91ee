#pragma once

#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "tern/dataset.hpp"
#include "tern/types.hpp"
#include "tern/vocabulary.hpp"

namespace tern {

/// Features of one side from memory, whose rows belong to ids.
class GivenFeatures {
 public:
  /// As for DatasetBuilder::set_features(). Throws DataError.
  GivenFeatures(Side side, std::vector<std::string> columns, const std::vector<std::string>& ids,
                std::span<const float> values);

  /// The rows of these nodes in their order. Adds notes on the rows that were found. Throws DataError if
  /// none was, or the result is larger than options.max_feature_bytes.
  Features for_nodes(const Vocabulary& names, const DataOptions& options,
                     std::vector<std::string>& notes) const;

 private:
  std::string place_;  // for messages
  std::vector<std::string> columns_;
  std::unordered_map<std::string, std::size_t> row_of_;
  std::vector<float> values_;
};

}  // namespace tern
