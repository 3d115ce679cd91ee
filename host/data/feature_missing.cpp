#include "host/data/feature_missing.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "host/support/utf8.hpp"

namespace tern {
namespace {

/// The mean of the numbers in a column, in the rows that take accepts.
template <typename Take>
float mean_where(const Features& features, std::int64_t column, std::int64_t nodes,
                 const Take& take) {
  double sum = 0.0;
  std::int64_t count = 0;
  for (std::int64_t node = 0; node < nodes; ++node) {
    const float value = features.values[node * features.width() + column];
    if (std::isnan(value) || !take(node)) continue;
    sum += value;
    ++count;
  }
  return count == 0 ? 0.0F : static_cast<float>(sum / static_cast<double>(count));
}

}  // namespace

bool is_missing(std::string_view field) {
  constexpr std::array<std::string_view, 6> kNames{"\\n", "na", "n/a", "nan", "null", "none"};
  const std::size_t begin = field.find_first_not_of(' ');
  if (begin == std::string_view::npos) return true;
  field = field.substr(begin, field.find_last_not_of(' ') + 1 - begin);
  if (field.size() > 4) return false;
  return std::find(kNames.begin(), kNames.end(), to_lower(field)) != kNames.end();
}

void fill_missing(Features& features, std::int64_t column, const std::vector<char>& marked) {
  const auto nodes = static_cast<std::int64_t>(marked.size());
  const float mean =
      mean_where(features, column, nodes, [&](std::int64_t node) { return marked[node] != 0; });
  for (std::int64_t node = 0; node < nodes; ++node) {
    float& value = features.values[node * features.width() + column];
    if (std::isnan(value)) value = mean;
  }
}

float mean_of_column(const Features& features, std::int64_t column, std::int64_t nodes) {
  return mean_where(features, column, nodes, [](std::int64_t) { return true; });
}

}  // namespace tern
