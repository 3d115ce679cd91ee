#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tern/dataset.hpp"
#include "tern/interactions.hpp"
#include "tern/types.hpp"

namespace tern {

/// Features of one node set as input of an encoder: numbers as a dense matrix, columns of 0 and 1 as
/// a sparse matrix, whose product with weights takes time for the ones only.
struct EncodedFeatures {
  std::vector<std::string> number_names;
  std::vector<std::string> category_names;
  /// (nodes, number_names.size()) row-major.
  std::vector<float> numbers;
  /// (nodes, category_names.size()), with nodes as users and categories as items.
  Interactions categories;

  NodeId num_nodes() const { return categories.num_users(); }
};

/// A rule for encoding features, decided on one table, so that later nodes are encoded alike.
///
/// Columns of 0 and 1 are categories, unless more than 1/8 of all their elements are 1: then the dense
/// product is faster, and they are numbers with unchanged values. Any other column is numeric:
/// (x - mean) / deviation in f64, over the nodes of the table (x - mean if the deviation is 0),
/// limited to ±10⁴.
class FeatureEncoding {
 public:
  explicit FeatureEncoding(const Features& decided_on);
  /// Decides on the first `nodes` rows only.
  FeatureEncoding(const Features& features, NodeId nodes);

  /// Throws ShapeError if the columns are not those of the table. Any element of a category but 0
  /// counts as 1.
  EncodedFeatures encode(const Features& features) const;

 private:
  struct Column {
    bool category = false;
    double mean = 0.0;
    double factor = 1.0;
  };
  std::vector<std::string> names_;
  std::vector<Column> columns_;
};

/// Features of both sides, for models that read them. Null: the side has no features.
struct NodeFeatures {
  const EncodedFeatures* users = nullptr;
  const EncodedFeatures* items = nullptr;

  const EncodedFeatures* of(Side side) const { return side == Side::kUser ? users : items; }
};

/// The encoded features of a data set, if it has some. New nodes (add_new_nodes) have no influence on
/// the encoding.
struct EncodedDataset {
  std::optional<EncodedFeatures> users;
  std::optional<EncodedFeatures> items;

  NodeFeatures view() const {
    return {users.has_value() ? &*users : nullptr, items.has_value() ? &*items : nullptr};
  }
};
EncodedDataset encode_features(const Dataset& data);

}  // namespace tern
