#include "host/data/number_ids.hpp"

#include <algorithm>
#include <string>

namespace tern {
namespace {

/// Ids up to this multiple of their number are used unchanged: gaps then cost no more than twice
/// the memory, and small data sets keep their ids.
bool is_dense(NodeId largest, std::size_t distinct) {
  constexpr std::int64_t kSlack = 1000;
  return largest < 2 * static_cast<std::int64_t>(distinct) + kSlack;
}

}  // namespace

void IdNumbering::count_marks(std::span<const char> seen) {
  const auto distinct = static_cast<std::size_t>(std::count(seen.begin(), seen.end(), 1));
  distinct_ = static_cast<NodeId>(distinct);
  if (is_dense(largest_, distinct)) {
    size_ = largest_ + 1;
    return;
  }
  sorted_.reserve(distinct);
  for (std::size_t id = 0; id < seen.size(); ++id) {
    if (seen[id] != 0) sorted_.push_back(static_cast<NodeId>(id));
  }
  size_ = distinct_;
}

void IdNumbering::sort_ids(std::vector<NodeId> ids) {
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  distinct_ = static_cast<NodeId>(ids.size());
  if (is_dense(largest_, ids.size())) {
    size_ = largest_ + 1;
    return;
  }
  size_ = distinct_;
  sorted_ = std::move(ids);
}

NodeId IdNumbering::operator()(NodeId raw) const {
  if (direct()) return raw;
  return static_cast<NodeId>(std::lower_bound(sorted_.begin(), sorted_.end(), raw) -
                             sorted_.begin());
}

Vocabulary IdNumbering::names() const {
  if (direct()) return Vocabulary::numbered(size_);
  Vocabulary names;
  for (const NodeId raw : sorted_) names.add(std::to_string(raw));
  return names;
}

}  // namespace tern
