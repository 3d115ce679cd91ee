#include "host/data/tensor_bytes.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>
#include <system_error>
#include <variant>

#include "tern/error.hpp"

namespace tern {
namespace {

constexpr std::array<ElementType, 4> kElementTypes{
    {{"F32", "<f4", 4}, {"F64", "<f8", 8}, {"I32", "<i4", 4}, {"I64", "<i8", 8}}};

template <typename Values>
auto as_bytes(Values& values) {
  using Byte = std::conditional_t<std::is_const_v<Values>, const char, char>;
  return std::span<Byte>(reinterpret_cast<Byte*>(values.data()), values.size() * sizeof(values[0]));
}

}  // namespace

std::span<const ElementType> element_types() {
  return kElementTypes;
}

std::optional<std::int64_t> count_elements(std::span<const std::int64_t> shape,
                                           std::size_t element_bytes) {
  // With a zero the product is zero, but the other sizes must not overflow either.
  std::int64_t count = 1;
  bool zero = false;
  for (const std::int64_t size : shape) {
    if (size < 0) return std::nullopt;
    if (size == 0) {
      zero = true;
    } else if (__builtin_mul_overflow(count, size, &count)) {
      return std::nullopt;
    }
  }
  if (count > std::numeric_limits<std::int64_t>::max() / static_cast<std::int64_t>(element_bytes)) {
    return std::nullopt;
  }
  return zero ? 0 : count;
}

Tensor make_tensor(std::size_t type, std::span<const std::int64_t> shape, std::int64_t count) {
  Tensor tensor;
  tensor.shape.assign(shape.begin(), shape.end());
  const auto size = static_cast<std::size_t>(count);
  switch (type) {
    case 0:
      tensor.values = std::vector<float>(size);
      break;
    case 1:
      tensor.values = std::vector<double>(size);
      break;
    case 2:
      tensor.values = std::vector<std::int32_t>(size);
      break;
    default:
      tensor.values = std::vector<std::int64_t>(size);
      break;
  }
  return tensor;
}

std::span<char> bytes_of(Tensor& tensor) {
  return std::visit([](auto& values) { return as_bytes(values); }, tensor.values);
}

std::span<const char> bytes_of(const Tensor& tensor) {
  return std::visit([](const auto& values) { return as_bytes(values); }, tensor.values);
}

void check_tensor(std::string_view name, const Tensor& tensor) {
  const std::size_t element_bytes = element_types()[tensor.values.index()].bytes;
  const std::size_t size = bytes_of(tensor).size() / element_bytes;
  const std::optional<std::int64_t> count = count_elements(tensor.shape, element_bytes);
  if (!count || static_cast<std::uint64_t>(*count) != size) {
    throw ShapeError(fmt::format("tensor \"{}\" has {} values, which do not fit its shape {}", name,
                                 size, format_shape(tensor.shape)));
  }
}

std::string format_shape(std::span<const std::int64_t> shape) {
  constexpr std::size_t kMax = 8;  // more would flood a message; tensors of Tern have fewer
  const std::span<const std::int64_t> shown = shape.first(std::min(kMax, shape.size()));
  return fmt::format("[{}{}]", fmt::join(shown, ", "),
                     shape.size() > kMax ? fmt::format(", ... {} sizes", shape.size()) : "");
}

InputFile::InputFile(const std::filesystem::path& path)
    : name_(path.string()), fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
  struct stat status {};
  if (!fd_.valid() || ::fstat(fd_.get(), &status) != 0) {
    throw DataError(
        name_, 0,
        fmt::format("the file cannot be opened: {}", std::generic_category().message(errno)));
  }
  if (!S_ISREG(status.st_mode)) throw DataError(name_, 0, "not a regular file");
  size_ = static_cast<std::uint64_t>(status.st_size);
  remaining_ = size_;
}

void InputFile::read(std::span<char> bytes) {
  constexpr std::size_t kMaxAtOnce = std::size_t{1} << 30;
  if (bytes.size() > remaining_) throw DataError(name_, 0, "the file is cut short");
  remaining_ -= bytes.size();
  while (!bytes.empty()) {
    const ssize_t got = ::read(fd_.get(), bytes.data(), std::min(bytes.size(), kMaxAtOnce));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      throw DataError(
          name_, 0,
          fmt::format("the file cannot be read: {}", std::generic_category().message(errno)));
    }
    if (got == 0) throw DataError(name_, 0, "the file is cut short");
    bytes = bytes.subspan(static_cast<std::size_t>(got));
  }
}

void InputBytes::read(std::span<char> bytes) {
  if (bytes.size() > bytes_.size()) throw DataError(name_, 0, "the array is cut short");
  std::copy_n(bytes_.begin(), bytes.size(), bytes.begin());
  bytes_.remove_prefix(bytes.size());
}

}  // namespace tern
