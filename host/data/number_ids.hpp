#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tern/types.hpp"
#include "tern/vocabulary.hpp"

namespace tern {

/// Maps the raw ids of an adjacency list to node ids, as load_dataset describes.
class IdNumbering {
 public:
  /// visit(f) calls f(raw id) once for each of the `occurrences` of ids; it is called up to three
  /// times. Memory and time are linear in the occurrences, whatever the ids (for sparse ids, time
  /// has another factor of a logarithm).
  template <typename Visit>
  IdNumbering(std::int64_t occurrences, const Visit& visit);

  NodeId size() const noexcept { return size_; }
  /// Whether node ids are the raw ids.
  bool direct() const noexcept { return sorted_.empty(); }
  /// Node ids that never occurred: gaps of direct numbering.
  NodeId unused() const noexcept { return direct() ? size_ - distinct_ : 0; }
  NodeId largest() const noexcept { return largest_; }

  /// The node of a raw id that occurred.
  NodeId operator()(NodeId raw) const;
  /// The names of the nodes: their raw ids as decimal numbers.
  Vocabulary names() const;

 private:
  bool small_range(std::int64_t occurrences) const { return largest_ / 8 <= occurrences + 1000; }
  void count_marks(std::span<const char> seen);
  void sort_ids(std::vector<NodeId> ids);

  NodeId largest_ = -1;
  NodeId distinct_ = 0;
  NodeId size_ = 0;
  std::vector<NodeId> sorted_;  // the distinct raw ids, ascending; empty if numbering is direct
};

template <typename Visit>
IdNumbering::IdNumbering(std::int64_t occurrences, const Visit& visit) {
  visit([this](NodeId raw) { largest_ = raw > largest_ ? raw : largest_; });
  if (small_range(occurrences)) {
    std::vector<char> seen(static_cast<std::size_t>(largest_) + 1, 0);
    visit([&](NodeId raw) { seen[static_cast<std::size_t>(raw)] = 1; });
    count_marks(seen);
  } else {
    std::vector<NodeId> ids;
    ids.reserve(static_cast<std::size_t>(occurrences));
    visit([&](NodeId raw) { ids.push_back(raw); });
    sort_ids(std::move(ids));
  }
}

}  // namespace tern
