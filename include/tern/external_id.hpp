#pragma once

#include <array>
#include <charconv>
#include <concepts>
#include <cstddef>
#include <string>
#include <string_view>

namespace tern {

/// A user's or an item's own id, as an argument of a function: a text, or a whole number, which stands
/// for its decimal digits. A text must live as long as the object.
class ExternalId {
 public:
  ExternalId(std::string_view text) : text_(text) {}
  ExternalId(const std::string& text) : text_(text) {}
  /// A null pointer is an empty id, which no node has.
  ExternalId(const char* text) : text_(text != nullptr ? text : "") {}
  template <std::integral Number>
  requires(sizeof(Number) > 1)  // neither a bool nor a character
      ExternalId(Number number) {
    char* const end = std::to_chars(digits_.data(), digits_.data() + digits_.size(), number).ptr;
    length_ = static_cast<std::size_t>(end - digits_.data());
  }

  std::string_view text() const noexcept {
    return length_ > 0 ? std::string_view(digits_.data(), length_) : text_;
  }

 private:
  std::string_view text_;
  std::array<char, 20> digits_{};  // of a number
  std::size_t length_ = 0;
};

}  // namespace tern
