#include "host/data/number_ids.hpp"

#include <algorithm>
#include <string>

namespace tern {
namespace {

/// Whether raw ids become node ids unchanged. With this bound, gaps at most double the memory, and
/// small data sets keep their ids.
bool is_dense(NodeId largest, NodeId distinct) {
  constexpr std::int64_t kSlack = 1000;
  return largest < 2 * std::int64_t{distinct} + kSlack;
}

}  // namespace

void IdNumbering::count_marks(std::span<const char> seen) {
  distinct_ = static_cast<NodeId>(std::count(seen.begin(), seen.end(), 1));
  size_ = is_dense(largest_, distinct_) ? largest_ + 1 : distinct_;
  if (size_ > largest_) return;
  sorted_.reserve(static_cast<std::size_t>(distinct_));
  for (std::size_t id = 0; id < seen.size(); ++id) {
    if (seen[id] != 0) sorted_.push_back(static_cast<NodeId>(id));
  }
}

void IdNumbering::sort_ids(std::vector<NodeId> ids) {
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  distinct_ = static_cast<NodeId>(ids.size());
  size_ = is_dense(largest_, distinct_) ? largest_ + 1 : distinct_;
  if (size_ <= largest_) sorted_ = std::move(ids);
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
