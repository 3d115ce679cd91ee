// Layout: "\x93NUMPY", two bytes of version, the header's length (2 bytes in version 1, else 4),
// the header, a Python dictionary such as {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3),
// }, padded with blanks to a newline; then the values. Source: NumPy's numpy.lib.format.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "host/data/memory_budget.hpp"
#include "host/data/tensor_bytes.hpp"
#include "host/support/atomic_file.hpp"
#include "host/support/message.hpp"
#include "tern/error.hpp"
#include "tern/tensor_file.hpp"

namespace tern {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr std::size_t kHeaderAlignment = 64;  // of the values' begin
constexpr std::uint32_t kMaxNpyHeaderBytes = 1 << 20;

/// The content of a header; a missing part is empty.
struct Header {
  std::optional<std::string> descr;
  std::optional<bool> fortran_order;
  std::optional<std::vector<std::int64_t>> shape;
};

/// Reads the few forms of Python literals that a header can have.
class HeaderParser {
 public:
  HeaderParser(std::string_view text, const std::string& file) : text_(text), file_(file) {}

  Header parse() {
    Header header;
    expect('{');
    while (!accept('}')) {
      const std::string key = string();
      expect(':');
      if (key == "descr" && !header.descr) {
        header.descr = peek() == '[' ? fail("a structured type") : string();
      } else if (key == "fortran_order" && !header.fortran_order) {
        header.fortran_order = boolean();
      } else if (key == "shape" && !header.shape) {
        header.shape = shape();
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
    if (!header.descr || !header.fortran_order || !header.shape) {
      fail("no descr, fortran_order or shape");
    }
    return header;
  }

 private:
  /// Always throws; returns a string so that it can be used in an expression.
  std::string fail(const std::string& found) const {
    throw DataError(file_, 0,
                    fmt::format("the header has {} at byte {}, expected a dictionary of "
                                "descr, fortran_order and shape",
                                found, place_));
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

std::string read_header_text(InputFile& input) {
  std::array<char, 8> prefix{};
  constexpr std::string_view kExpected = "expected NumPy's .npy";
  if (input.size() < prefix.size() + 2) {
    throw DataError(input.name(), 0, fmt::format("the file is too short, {}", kExpected));
  }
  input.read(prefix);
  const std::string_view magic(prefix.data(), kMagic.size());
  const char version = prefix[kMagic.size()];
  if (magic != kMagic || version < 1 || version > 3) {
    throw DataError(input.name(), 0,
                    fmt::format("the file begins differently, {} version 1 to 3", kExpected));
  }
  std::uint32_t length = 0;
  const std::size_t length_bytes = version == 1 ? 2 : 4;
  if (input.size() < prefix.size() + length_bytes) {
    throw DataError(input.name(), 0, "the file is cut short within its header");
  }
  std::array<char, 4> bytes{};
  input.read(std::span(bytes).first(length_bytes));
  std::memcpy(&length, bytes.data(), length_bytes);
  if (length > kMaxNpyHeaderBytes || length > input.size() - prefix.size() - length_bytes) {
    throw DataError(input.name(), 0,
                    fmt::format("the header claims {} bytes, more than the file has or a header "
                                "needs",
                                length));
  }
  std::string header(length, '\0');
  input.read(header);
  return header;
}

}  // namespace

void write_npy(const std::filesystem::path& path, const Tensor& tensor) {
  check_tensor(path.string(), tensor);
  // A single size needs a comma, (3,): Python would read (3) as a number.
  const std::string shape =
      fmt::format("({}{})", fmt::join(tensor.shape, ", "), tensor.shape.size() == 1 ? "," : "");
  std::string header = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': {}, }}",
                                   element_types()[tensor.values.index()].npy, shape);
  const std::size_t prefix_bytes = kMagic.size() + 4;
  const std::size_t unpadded = prefix_bytes + header.size() + 1;
  header.append((kHeaderAlignment - unpadded % kHeaderAlignment) % kHeaderAlignment, ' ');
  header += '\n';
  if (header.size() > std::numeric_limits<std::uint16_t>::max()) {
    throw ShapeError(
        fmt::format("a tensor of {} dimensions does not fit a .npy header", tensor.shape.size()));
  }
  const auto length = static_cast<std::uint16_t>(header.size());
  AtomicFile output(path);
  output.write(kMagic);
  output.write(std::string_view("\x01\x00", 2));
  output.write(&length, sizeof(length));
  output.write(header);
  const std::span<const char> values = bytes_of(tensor);
  output.write(values.data(), values.size());
  output.commit();
}

Tensor read_npy(const std::filesystem::path& path) {
  InputFile input(path);
  const std::string text = read_header_text(input);
  const Header header = HeaderParser(text, input.name()).parse();
  const auto types = element_types();
  const auto type = std::find_if(types.begin(), types.end(), [&](const ElementType& candidate) {
    return candidate.npy == *header.descr;
  });
  if (type == types.end()) {
    throw DataError(input.name(), 0,
                    fmt::format("found elements of type {}, expected <f4, <f8, <i4 or <i8",
                                quote(*header.descr)));
  }
  if (*header.fortran_order) {
    throw DataError(input.name(), 0,
                    "found values in Fortran order, expected C order (numpy.ascontiguousarray)");
  }
  const std::optional<std::int64_t> count = count_elements(*header.shape, type->bytes);
  if (!count || static_cast<std::uint64_t>(*count) * type->bytes != input.remaining()) {
    throw DataError(input.name(), 0,
                    fmt::format("found {} bytes of values, which do not fit the shape {} of {}",
                                input.remaining(), format_shape(*header.shape), type->npy));
  }
  require_memory(input.remaining(), input.name());  // a sparse file claims more than it holds
  Tensor tensor =
      make_tensor(static_cast<std::size_t>(type - types.begin()), *header.shape, *count);
  input.read(bytes_of(tensor));
  return tensor;
}

}  // namespace tern
