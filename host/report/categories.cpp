#include "host/report/categories.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "host/report/chart.hpp"

namespace tern::report {
namespace {

/// Neighbouring columns of one feature.
struct Group {
  std::string_view feature;
  std::size_t begin = 0;
  std::size_t end = 0;
};

/// "genre" of "genre=drama"; empty for a column of numbers.
std::string_view feature_of(std::string_view column) {
  const std::size_t equals = column.find('=');
  return equals == std::string_view::npos ? std::string_view() : column.substr(0, equals);
}

std::vector<Group> group_columns(const Features& features) {
  std::vector<Group> groups;
  for (std::size_t c = 0; c < features.names.size(); ++c) {
    const std::string_view feature = feature_of(features.names[c]);
    if (feature.empty()) continue;
    if (groups.empty() || groups.back().feature != feature || groups.back().end != c) {
      groups.push_back({feature, c, c});
    }
    groups.back().end = c + 1;
  }
  std::erase_if(groups, [](const Group& group) { return group.end - group.begin < 2; });
  return groups;
}

Categories color_by(const Group& group, const Features& features,
                    const std::vector<NodeId>& items) {
  const std::size_t width = features.names.size();
  const auto has = [&](NodeId item, std::size_t column) {
    return features.values[static_cast<std::size_t>(item) * width + column] != 0.0F;
  };
  std::vector<std::pair<std::int64_t, std::size_t>> counts;  // with the columns
  for (std::size_t c = group.begin; c < group.end; ++c) {
    counts.emplace_back(std::ranges::count_if(items, [&](NodeId item) { return has(item, c); }), c);
  }
  std::ranges::stable_sort(counts, std::ranges::greater(),
                           &std::pair<std::int64_t, std::size_t>::first);
  Categories found{.feature = std::string(group.feature)};
  const std::size_t colors = std::min<std::size_t>(counts.size(), kMaxCategories);
  for (std::size_t color = 0; color < colors; ++color) {
    const std::string& column = features.names[counts[color].second];
    found.names.emplace_back(static_cast<int>(color), column.substr(group.feature.size() + 1));
  }
  bool others = false;
  for (const NodeId item : items) {
    int values = 0;
    int color = kBaseline;
    for (std::size_t rank = counts.size(); rank-- > 0;) {
      if (!has(item, counts[rank].second)) continue;
      ++values;
      if (rank < colors) color = static_cast<int>(rank);
    }
    found.several |= values > 1;
    others |= color == kBaseline;
    found.of.push_back(color);
  }
  if (others) found.names.emplace_back(kBaseline, "others");
  return found;
}

}  // namespace

std::optional<Categories> find_categories(const std::optional<Features>& features,
                                          const std::vector<NodeId>& items) {
  if (!features) return std::nullopt;
  std::optional<Categories> best;
  std::ptrdiff_t most = 0;
  for (const Group& group : group_columns(*features)) {
    Categories found = color_by(group, *features, items);
    const std::ptrdiff_t covered =
        std::ranges::count_if(found.of, [](int color) { return color != kBaseline; });
    if (covered <= most) continue;
    most = covered;
    best = std::move(found);
  }
  return best;
}

}  // namespace tern::report
