#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

namespace tern {

/// A type of elements that .npy files have, and the type of a Tensor that can hold its values: integers
/// of up to 32 bits become i32, u32 i64, u64 f64, and f16 f32.
struct NpyType {
  char kind = 'f';  // NumPy's letter: b, i, u or f
  std::size_t bytes = 4;
  bool swapped = false;       // big-endian
  std::size_t stored_as = 0;  // an index of element_types()

  bool is_stored_unchanged() const;
};
inline constexpr std::size_t kMaxElementBytes = 8;

/// The type with this descr ("<f4"). Throws DataError, with the type's name and what to do, if a tensor
/// cannot hold it.
NpyType find_npy_type(std::string_view descr, const std::string& file);

/// IEEE 754's binary16 as f32: exact.
float half_to_float(std::uint16_t bits);

/// Reads an element from its bytes. Value: the type of stored_as.
template <typename Value>
void decode_element(const NpyType& type, const char* bytes, Value& value) {
  std::array<char, kMaxElementBytes> native{};
  std::memcpy(native.data(), bytes, type.bytes);
  if (type.swapped) std::reverse(native.begin(), native.begin() + type.bytes);
  const auto as = [&]<typename Stored>(Stored stored) {
    std::memcpy(&stored, native.data(), sizeof(stored));
    return stored;
  };
  if constexpr (std::is_same_v<Value, float>) {
    value = type.bytes == 2 ? half_to_float(as(std::uint16_t{})) : as(float{});
  } else if constexpr (std::is_same_v<Value, double>) {
    value = type.kind == 'f' ? as(double{}) : static_cast<double>(as(std::uint64_t{}));
  } else {
    const bool is_signed = type.kind == 'i';
    switch (type.bytes) {
      case 1:
        value = type.kind == 'b' ? (native[0] != 0 ? 1 : 0)
                : is_signed      ? as(std::int8_t{})
                                 : as(std::uint8_t{});
        break;
      case 2:
        value = is_signed ? as(std::int16_t{}) : as(std::uint16_t{});
        break;
      case 4:
        value = is_signed ? as(std::int32_t{}) : static_cast<Value>(as(std::uint32_t{}));
        break;
      default:
        value = static_cast<Value>(as(std::int64_t{}));
    }
  }
}

}  // namespace tern
