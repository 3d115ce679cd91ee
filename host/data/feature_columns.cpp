#include "host/data/feature_columns.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "host/support/message.hpp"

namespace tern {

std::vector<std::string> describe_columns(const std::vector<FeatureColumn>& columns) {
  std::vector<std::string> parts;
  for (const FeatureColumn& column : columns) {
    const std::string name = in_message(column.name);
    parts.push_back(column.numeric ? name + " (numbers)"
                                   : fmt::format("{} ({} values)", name, column.width));
  }
  return parts;
}

std::vector<std::string> describe_missing(const std::vector<FeatureColumn>& columns) {
  std::vector<std::string> parts;
  for (const FeatureColumn& column : columns) {
    if (!column.numeric || column.missing == 0) continue;
    parts.push_back(fmt::format("{} ({})", in_message(column.name), column.missing));
  }
  return parts;
}

std::string some_of(const std::vector<std::string>& parts) {
  constexpr std::size_t kMax = 8;
  const auto shown = static_cast<std::ptrdiff_t>(std::min(kMax, parts.size()));
  return fmt::format("{}{}", fmt::join(parts.begin(), parts.begin() + shown, ", "),
                     parts.size() > kMax ? ", ..." : "");
}

}  // namespace tern
