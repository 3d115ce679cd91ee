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
#include "host/data/npy.hpp"
#include "host/data/npy_header.hpp"
#include "host/data/npy_types.hpp"
#include "host/data/tensor_bytes.hpp"
#include "host/support/atomic_file.hpp"
#include "tern/error.hpp"
#include "tern/tensor_file.hpp"

namespace tern {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr std::size_t kHeaderAlignment = 64;  // of the values' begin
constexpr std::uint32_t kMaxNpyHeaderBytes = 1 << 20;

template <typename Input>
std::string read_header_text(Input& input) {
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

/// Reads the values block by block, and puts each at its place in the tensor: first index fastest in
/// Fortran order.
template <typename Input>
void read_converted(Input& input, const NpyHeader& header, const NpyType& type, Tensor& tensor) {
  constexpr std::int64_t kAtOnce = 1 << 16;
  const std::int64_t rows = header.shape.empty() ? 1 : header.shape[0];
  const std::int64_t count = static_cast<std::int64_t>(input.remaining() / type.bytes);
  const std::int64_t columns = rows == 0 ? 0 : count / rows;
  std::vector<char> block(static_cast<std::size_t>(std::min(count, kAtOnce)) * type.bytes);
  std::int64_t row = 0;
  std::int64_t column = 0;
  std::visit(
      [&](auto& values) {
        for (std::int64_t begin = 0; begin < count; begin += kAtOnce) {
          const std::int64_t size = std::min(kAtOnce, count - begin);
          const auto bytes = std::span(block).first(static_cast<std::size_t>(size) * type.bytes);
          input.read(bytes);
          for (std::int64_t k = 0; k < size; ++k) {
            const std::int64_t place = header.fortran_order ? row * columns + column : begin + k;
            decode_element(type, block.data() + k * static_cast<std::int64_t>(type.bytes),
                           values[static_cast<std::size_t>(place)]);
            if (++row == rows) {
              row = 0;
              ++column;
            }
          }
        }
      },
      tensor.values);
}

template <typename Input>
Tensor read_array(Input& input) {
  const std::string text = read_header_text(input);
  const NpyHeader header = parse_npy_header(text, input.name());
  const NpyType type = find_npy_type(header.descr, input.name());
  // For one dimension, both orders are the same.
  if (header.fortran_order && header.shape.size() > 2) {
    throw DataError(input.name(), 0,
                    fmt::format("found an array of shape {} in Fortran order, expected C order for "
                                "more than two dimensions (numpy.ascontiguousarray)",
                                format_shape(header.shape)));
  }
  const std::optional<std::int64_t> count = count_elements(header.shape, kMaxElementBytes);
  if (!count || static_cast<std::uint64_t>(*count) * type.bytes != input.remaining()) {
    throw DataError(input.name(), 0,
                    fmt::format("found {} bytes of values, which do not fit the shape {} of {}",
                                input.remaining(), format_shape(header.shape), header.descr));
  }
  // A sparse file claims more than it holds.
  require_memory(static_cast<std::uint64_t>(*count) * element_types()[type.stored_as].bytes,
                 input.name());
  Tensor tensor = make_tensor(type.stored_as, header.shape, *count);
  if (type.is_stored_unchanged() && !header.fortran_order) {
    input.read(bytes_of(tensor));
  } else {
    read_converted(input, header, type, tensor);
  }
  return tensor;
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
  return read_array(input);
}

Tensor read_npy_bytes(std::string_view bytes, const std::string& file) {
  InputBytes input(bytes, file);
  return read_array(input);
}

}  // namespace tern
