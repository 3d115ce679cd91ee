#include "host/data/given_features.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <unordered_set>
#include <utility>

#include "host/support/message.hpp"
#include "tern/error.hpp"

namespace tern {
namespace {

/// Throws DataError if a name is empty or occurs twice.
void check_distinct(const std::string& place, std::string_view kind,
                    const std::vector<std::string>& names) {
  std::unordered_set<std::string_view> seen;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i].empty()) {
      throw DataError(place, 0, fmt::format("{} {} (from 0) is empty", kind, i));
    }
    if (!seen.insert(names[i]).second) {
      throw DataError(place, 0,
                      fmt::format("{} {} occurs twice, expected each once", kind, quote(names[i])));
    }
  }
}

}  // namespace

GivenFeatures::GivenFeatures(Side side, std::vector<std::string> columns,
                             const std::vector<std::string>& ids, std::span<const float> values)
    : place_(fmt::format("features of {}s in memory", to_string(side))),
      columns_(std::move(columns)),
      values_(values.begin(), values.end()) {
  if (columns_.empty()) throw DataError(place_, 0, "no columns, expected at least one");
  check_distinct(place_, "column", columns_);
  check_distinct(place_, "id", ids);
  if (values.size() != ids.size() * columns_.size()) {
    throw DataError(
        place_, 0,
        fmt::format("found {} values, expected {}: {} ids times {} columns", values.size(),
                    ids.size() * columns_.size(), ids.size(), columns_.size()));
  }
  const auto bad = std::ranges::find_if(values_, [](float value) { return !std::isfinite(value); });
  if (bad != values_.end()) {
    const auto place = static_cast<std::size_t>(bad - values_.begin());
    throw DataError(place_, 0,
                    fmt::format("id {}, column {}: found {}, expected a finite number",
                                quote(ids[place / columns_.size()]),
                                quote(columns_[place % columns_.size()]), *bad));
  }
  for (std::size_t row = 0; row < ids.size(); ++row) row_of_.emplace(ids[row], row);
}

Features GivenFeatures::for_nodes(const Vocabulary& names, const DataOptions& options,
                                  std::vector<std::string>& notes) const {
  const std::size_t width = columns_.size();
  const auto nodes = static_cast<std::size_t>(names.size());
  const double bytes = static_cast<double>(nodes) * static_cast<double>(width) * sizeof(float);
  if (bytes > static_cast<double>(options.max_feature_bytes)) {
    throw DataError(
        place_, 0,
        fmt::format("the features would take {:.3g} bytes, more than data.max_feature_bytes = {}",
                    bytes, options.max_feature_bytes));
  }
  Features features;
  features.names = columns_;
  features.values.assign(nodes * width, 0.0F);
  std::size_t found = 0;
  for (std::size_t node = 0; node < nodes; ++node) {
    const auto row = row_of_.find(names.name(static_cast<NodeId>(node)));
    if (row == row_of_.end()) continue;
    ++found;
    std::copy_n(values_.begin() + static_cast<std::ptrdiff_t>(row->second * width), width,
                features.values.begin() + static_cast<std::ptrdiff_t>(node * width));
  }
  if (found == 0) {
    throw DataError(
        place_, 0,
        fmt::format("no id is in the data, which has ids such as {}", quote(names.name(0))));
  }
  notes.push_back(fmt::format("{}: columns: {}, nodes with a row: {}.", place_, width, found));
  const auto note = [&](std::string_view what, std::size_t count) {
    if (count > 0) notes.push_back(fmt::format("{}: {}: {}.", place_, what, count));
  };
  note("rows of ids that are not in the data, left out", row_of_.size() - found);
  note("nodes without a row, whose features are zeros", nodes - found);
  return features;
}

}  // namespace tern
