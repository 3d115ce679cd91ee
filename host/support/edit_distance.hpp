#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace tern {

/// Edit distances (insertions, deletions, substitutions of bytes) from one pattern to many texts.
/// Both are cut after 64 bytes, so that a row of the table of distances fits one word and a text
/// costs a few operations a byte. Source: Myers 1999, "A fast bit-vector algorithm for approximate
/// string matching", with Hyyrö's boundary for whole strings.
class EditDistance {
 public:
  static constexpr std::size_t kMaxBytes = 64;

  explicit EditDistance(std::string_view pattern);
  int operator()(std::string_view text) const;
  /// A distance that operator() cannot be below: the difference of the lengths.
  int at_least(std::string_view text) const;

 private:
  std::array<std::uint64_t, 256> places_{};  // bit i: the byte is the pattern's i-th
  int size_ = 0;
};

}  // namespace tern
