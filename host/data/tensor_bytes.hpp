#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "host/support/unique_fd.hpp"
#include "tern/tensor_file.hpp"

namespace tern {

// Shared by both tensor formats. Values are written as they are in memory.
static_assert(std::endian::native == std::endian::little,
              "safetensors and .npy are written little endian");

/// One of the four element types.
struct ElementType {
  std::string_view safetensors;  // "F32"
  std::string_view npy;          // "<f4"
  std::size_t bytes;
};

/// In the order of Tensor::values' alternatives.
std::span<const ElementType> element_types();

/// Product of the shape; nullopt if a size is negative, or if it or its bytes would overflow.
std::optional<std::int64_t> count_elements(std::span<const std::int64_t> shape,
                                           std::size_t element_bytes);

/// A tensor of zeros of element_types()[type]; count is the number of elements of the shape.
Tensor make_tensor(std::size_t type, std::span<const std::int64_t> shape, std::int64_t count);

std::span<char> bytes_of(Tensor& tensor);
std::span<const char> bytes_of(const Tensor& tensor);

/// Throws ShapeError if the number of values does not fit the shape.
void check_tensor(std::string_view name, const Tensor& tensor);

/// For a message: "[2, 3]". Of more than eight sizes, shows the first eight and their number.
std::string format_shape(std::span<const std::int64_t> shape);

/// A file that is read piece by piece, so that tensors need no second copy in memory. All functions
/// throw DataError.
class InputFile {
 public:
  explicit InputFile(const std::filesystem::path& path);

  const std::string& name() const noexcept { return name_; }
  std::uint64_t size() const noexcept { return size_; }
  /// The number of bytes not read yet.
  std::uint64_t remaining() const noexcept { return remaining_; }
  /// Reads the next bytes. Throws if the file has fewer.
  void read(std::span<char> bytes);

 private:
  std::string name_;
  UniqueFd fd_;
  std::uint64_t size_ = 0;
  std::uint64_t remaining_ = 0;
};

/// The same for bytes in memory, which must outlive it.
class InputBytes {
 public:
  InputBytes(std::string_view bytes, const std::string& name)
      : name_(name), bytes_(bytes), size_(bytes.size()) {}

  const std::string& name() const noexcept { return name_; }
  std::uint64_t size() const noexcept { return size_; }
  std::uint64_t remaining() const noexcept { return bytes_.size(); }
  void read(std::span<char> bytes);

 private:
  std::string name_;
  std::string_view bytes_;
  std::uint64_t size_ = 0;
};

}  // namespace tern
