#include "host/data/npy_header.hpp"

#include <fmt/format.h>

#include <cstring>
#include <optional>
#include <utility>

#include "host/support/message.hpp"
#include "tern/error.hpp"

namespace tern {
namespace {

/// Reads the few forms of Python literals that a header can have.
class HeaderParser {
 public:
  HeaderParser(std::string_view text, const std::string& file) : text_(text), file_(file) {}

  NpyHeader parse() {
    std::optional<std::string> descr;
    std::optional<bool> fortran_order;
    std::optional<std::vector<std::int64_t>> sizes;
    expect('{');
    while (!accept('}')) {
      const std::string key = string();
      expect(':');
      if (key == "descr" && !descr) {
        descr = peek() == '[' ? refuse_fields() : string();
      } else if (key == "fortran_order" && !fortran_order) {
        fortran_order = boolean();
      } else if (key == "shape" && !sizes) {
        sizes = shape();
      } else {
        fail(fmt::format("the key {}", quote(key)));
      }
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    skip_blanks();
    if (place_ != text_.size()) fail("more than one dictionary");
    if (!descr || !fortran_order || !sizes) fail("no descr, fortran_order or shape");
    return {*descr, *fortran_order, *sizes};
  }

 private:
  /// Always throws; returns a string so that it can be used in an expression.
  std::string fail(const std::string& found) const {
    throw DataError(file_, 0,
                    fmt::format("the header has {} at byte {}, expected a dictionary of "
                                "descr, fortran_order and shape",
                                found, place_));
  }

  /// Throws, too.
  std::string refuse_fields() const {
    const std::string_view type = text_.substr(place_, text_.find(']', place_) + 1 - place_);
    throw DataError(file_, 0,
                    fmt::format("found a structured array with elements of type {}, expected "
                                "numbers; numpy.lib.recfunctions.structured_to_unstructured makes "
                                "a column of each field",
                                quote(type)));
  }

  void skip_blanks() {
    while (place_ < text_.size() && std::strchr(" \t\r\n", text_[place_]) != nullptr &&
           text_[place_] != '\0') {
      ++place_;
    }
  }
  char peek() {
    skip_blanks();
    return place_ < text_.size() ? text_[place_] : '\0';
  }
  bool accept(char c) {
    if (peek() != c || place_ == text_.size()) return false;
    ++place_;
    return true;
  }
  void expect(char c) {
    if (!accept(c)) fail(fmt::format("no {}", c));
  }

  std::string string() {
    const char quote_mark = peek();
    if (quote_mark != '\'' && quote_mark != '"') fail("no string");
    const std::size_t end = text_.find(quote_mark, place_ + 1);
    if (end == std::string_view::npos) fail("an unfinished string");
    std::string value(text_.substr(place_ + 1, end - place_ - 1));
    place_ = end + 1;
    return value;
  }

  bool boolean() {
    skip_blanks();
    for (const auto& [word, value] :
         {std::pair<std::string_view, bool>{"True", true}, {"False", false}}) {
      if (text_.substr(place_).starts_with(word)) {
        place_ += word.size();
        return value;
      }
    }
    fail("neither True nor False");
    return false;
  }

  std::vector<std::int64_t> shape() {
    std::vector<std::int64_t> sizes;
    expect('(');
    while (!accept(')')) {
      sizes.push_back(integer());
      if (!accept(',')) {
        expect(')');
        break;
      }
    }
    return sizes;
  }

  std::int64_t integer() {
    skip_blanks();
    const std::size_t begin = place_;
    std::int64_t value = 0;
    for (; place_ < text_.size() && text_[place_] >= '0' && text_[place_] <= '9'; ++place_) {
      if (__builtin_mul_overflow(value, 10, &value) ||
          __builtin_add_overflow(value, text_[place_] - '0', &value)) {
        fail("a size that is too large");
      }
    }
    if (place_ == begin) fail("no size");
    if (place_ < text_.size() && text_[place_] == 'L')
      ++place_;  // Python 2 wrote long integers as 3L
    return value;
  }

  std::string_view text_;
  const std::string& file_;
  std::size_t place_ = 0;
};

}  // namespace

NpyHeader parse_npy_header(std::string_view text, const std::string& file) {
  return HeaderParser(text, file).parse();
}

}  // namespace tern
