#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tern/dataset.hpp"
#include "tern/interactions.hpp"
#include "tern/types.hpp"

namespace tern {

/// Features of one node set as input of an encoder: numbers as a dense matrix, columns of 0 and 1
/// as a sparse one, whose product with weights costs only its ones.
struct EncodedFeatures {
  std::vector<std::string> number_names;
  std::vector<std::string> category_names;
  /// (nodes, number_names.size()) row-major.
  std::vector<float> numbers;
  /// Node n has category c: user n, item c. nodes × category_names.size().
  Interactions categories;

  NodeId num_nodes() const { return categories.num_users(); }
};

/// How features become input of an encoder. It is decided on one table of features, so that new
/// nodes are later encoded in the same way.
///
/// A column of 0 and 1 is a category, unless more than 1/8 of the elements of all such columns are
/// 1: then the dense product is faster, and they count as numbers, unchanged. Any other column is a
/// number: (x - mean) / deviation in f64, over the nodes of the table (x - mean if the deviation is
/// 0), limited to ±10⁴.
class FeatureEncoding {
 public:
  explicit FeatureEncoding(const Features& decided_on);
  /// Decided on the first `nodes` rows only.
  FeatureEncoding(const Features& features, NodeId nodes);

  /// Throws ShapeError if the columns are not those of the table. An element of a category counts
  /// as 1 if it is not 0.
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

/// Features of both sides, for models that read them. Null: the side has none.
struct NodeFeatures {
  const EncodedFeatures* users = nullptr;
  const EncodedFeatures* items = nullptr;

  const EncodedFeatures* of(Side side) const { return side == Side::kUser ? users : items; }
};

/// The encoded features of a data set, if it has some. New nodes (add_new_nodes) do not take part
/// in deciding the encoding.
struct EncodedDataset {
  std::optional<EncodedFeatures> users;
  std::optional<EncodedFeatures> items;

  NodeFeatures view() const {
    return {users.has_value() ? &*users : nullptr, items.has_value() ? &*items : nullptr};
  }
};
EncodedDataset encode_features(const Dataset& data);

}  // namespace tern
