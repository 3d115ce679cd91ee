#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tern/dataset.hpp"
#include "tern/types.hpp"

namespace tern::report {

/// A categorical feature of items with colours for its most frequent values, see dot_chart().
struct Categories {
  std::string feature = {};                             // its name
  std::vector<int> of = {};                             // by place in `items`: the colour
  std::vector<std::pair<int, std::string>> names = {};  // of the colours
  bool several = false;                                 // whether an item has several values
};

/// The feature whose kMaxCategories most frequent values cover the most of these items, the first one of equals: columns
/// FEATURE=VALUE of 0 and 1, as tables of features give. An item with several values has the colour of the most frequent
/// one; one without any of them, kBaseline. None if there is no such feature with two values.
std::optional<Categories> find_categories(const std::optional<Features>& features,
                                          const std::vector<NodeId>& items);

}  // namespace tern::report
