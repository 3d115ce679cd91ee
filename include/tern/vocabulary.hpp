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
/// tab, newline and NUL). Holds at most 2³¹ - 1 names, in one block of memory. Each object hashes with
/// a random seed, so that nobody can craft a file of colliding names.
class Vocabulary {
 public:
  Vocabulary() = default;

  /// The names "0" to "n-1", which are not stored: for an adjacency list of dense ids.
  static Vocabulary numbered(NodeId n);

  /// The id of name, which is appended if it is new. Throws ShapeError past 2³¹ - 1 names, on an
  /// empty name, and on a name with tab, newline or NUL.
  NodeId add(std::string_view name);
  /// Adds the names of another vocabulary in its order. Element i of the result is the id here of the
  /// other's name i.
  std::vector<NodeId> add_all(const Vocabulary& other);
  std::optional<NodeId> find(std::string_view name) const;
  /// Throws ShapeError outside [0, size()).
  std::string name(NodeId id) const;
  NodeId size() const noexcept;
  bool is_numbered() const noexcept { return numbered_ > 0; }

  /// The names with these ids, in this order, renumbered from 0. ids must not repeat.
  Vocabulary subset(std::span<const NodeId> ids) const;

  /// The `count` known names closest to `name` by edit distance of their first 64 bytes, ties by id:
  /// for "did you mean". At most an edit for three bytes of `name`, and two for numbered names.
  /// O(bytes of names) at most.
  std::vector<std::string> nearest(std::string_view name, std::size_t count = 3) const;

  /// Writes one name a line, in id order; the file is replaced atomically. read() throws DataError.
  void write(const std::filesystem::path& path) const;
  static Vocabulary read(const std::filesystem::path& path);

 private:
  /// A slot of the hash table: an id (-1: free), and 32 bits of its name's hash, which distinguish
  /// most names without reading their bytes, and let the table grow without hashing again.
  struct Slot {
    NodeId id = -1;
    std::uint32_t hash = 0;
  };

  std::string_view stored(NodeId id) const noexcept;
  std::uint32_t hash(std::string_view name) const noexcept;
  std::size_t slot_of(std::string_view name, std::uint32_t hash) const noexcept;
  void grow();
  void store_numbers();

  NodeId numbered_ = 0;  // if > 0, the names are "0" to "numbered_ - 1", and nothing below is used
  std::string bytes_;
  std::vector<std::uint64_t> ends_;
  std::vector<Slot> slots_;  // open addressing, a power of two, at most half full
  std::uint64_t seed_ = 0;   // seed of the hash, drawn with the first slots
};

}  // namespace tern
