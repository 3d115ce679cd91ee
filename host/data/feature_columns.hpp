#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tern/vocabulary.hpp"

namespace tern {

/// A column of a table of features. It becomes one column of features if numeric, else one for each
/// value.
struct FeatureColumn {
  std::string name;
  std::size_t field = 0;
  bool numeric = true;
  char divider = '|';                // between the values of a categorical field
  std::int64_t missing = 0;          // rows of nodes without a number
  const char* not_finite = nullptr;  // the first row with such a number
  Vocabulary values;
  std::int64_t begin = 0;  // index of the first of its columns among all
  std::int64_t width = 1;
};

/// Calls use(value) for every value of a categorical field.
template <typename Use>
void for_each_value(std::string_view field, char divider, const Use& use) {
  while (!field.empty()) {
    const std::size_t stop = field.find(divider);
    const std::string_view value = field.substr(0, stop);
    if (!value.empty()) use(value);
    field.remove_prefix(stop == std::string_view::npos ? field.size() : stop + 1);
  }
}

// For notes: "size (numbers)", "kind (3 values)"; and "size (2)" for columns with missing numbers.
std::vector<std::string> describe_columns(const std::vector<FeatureColumn>& columns);
std::vector<std::string> describe_missing(const std::vector<FeatureColumn>& columns);
/// The first eight of these.
std::string some_of(const std::vector<std::string>& parts);

}  // namespace tern
