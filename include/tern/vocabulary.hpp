#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tern/types.hpp"

namespace tern {

/// The names of one node set: a bijection between 0..n-1 and the user's own ids (any bytes without
/// tab, newline and NUL). Names live in one block of memory: 2^31 - 1 of them at the most.
class Vocabulary {
 public:
  Vocabulary() = default;

  /// Names "0".."n-1" without storing them: what an adjacency list of dense ids has.
  static Vocabulary numbered(NodeId n);

  /// The id of name, added at the end where it is new. Throws ShapeError past 2^31 - 1 names.
  NodeId add(std::string_view name);
  std::optional<NodeId> find(std::string_view name) const;
  /// Throws ShapeError outside [0, size()).
  std::string name(NodeId id) const;
  NodeId size() const noexcept;

  /// The known names closest to `name` by edit distance: for "did you mean".
  std::vector<std::string> nearest(std::string_view name, std::size_t count = 3) const;

  /// One name a line, in id order. Written beside and renamed. read() throws DataError.
  void write(const std::filesystem::path& path) const;
  static Vocabulary read(const std::filesystem::path& path);

 private:
  NodeId numbered_ = 0;  // where > 0, the names are the numbers and nothing below is used
  std::string bytes_;
  std::vector<std::uint64_t> ends_;
  std::vector<NodeId> slots_;  // open addressing over ids, -1 empty
};

}  // namespace tern
