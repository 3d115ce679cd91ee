#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tern/dataset.hpp"
#include "tern/interactions.hpp"
#include "tern/types.hpp"

namespace tern {

/// Features of one node set as an encoder takes them: numbers as a dense matrix, columns that hold
/// nothing but 0 and 1 as a sparse one, whose product with weights costs what is 1 in it.
struct EncodedFeatures {
  std::vector<std::string> number_names;
  std::vector<std::string> category_names;
  /// (nodes, number_names.size()) row-major.
  std::vector<float> numbers;
  /// Node n has category c: user n, item c. nodes × category_names.size().
  Interactions categories;

  NodeId num_nodes() const { return categories.num_users(); }
};

/// How features become what an encoder takes, decided on one table of them, so that nodes that come
/// later are encoded alike.
///
/// A column of 0 and 1 is a category, unless the columns of that kind are more than 1/8 full on the
/// average: then the dense product is quicker, and they count as numbers left as they are. Any
/// other column is a number: (x - mean) / deviation over the nodes it was decided on, in f64 (where
/// the deviation is 0, x - mean), at most 10⁴ away from 0.
class FeatureEncoding {
 public:
  explicit FeatureEncoding(const Features& decided_on);
  /// Decided on the first `nodes` rows alone.
  FeatureEncoding(const Features& features, NodeId nodes);

  /// Throws ShapeError where the columns are not those that it was decided on. An element of a
  /// category's column counts as 1 where it is not 0.
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

/// Features of the nodes, for models that read them. Null: there are none.
struct NodeFeatures {
  const EncodedFeatures* users = nullptr;
  const EncodedFeatures* items = nullptr;

  const EncodedFeatures* of(Side side) const { return side == Side::kUser ? users : items; }
};

/// Both sides' features of a data set, encoded as its nodes but the new ones decide; what it has
/// none of stays empty.
struct EncodedDataset {
  std::optional<EncodedFeatures> users;
  std::optional<EncodedFeatures> items;

  NodeFeatures view() const {
    return {users.has_value() ? &*users : nullptr, items.has_value() ? &*items : nullptr};
  }
};
EncodedDataset encode_features(const Dataset& data);

}  // namespace tern
