#include "host/data/npy_types.hpp"

#include <fmt/format.h>

#include "host/support/message.hpp"
#include "tern/error.hpp"

namespace tern {
namespace {

// Indices of element_types().
constexpr std::size_t kF32 = 0;
constexpr std::size_t kF64 = 1;
constexpr std::size_t kI32 = 2;
constexpr std::size_t kI64 = 3;

/// The kind of a type that is not read, and what to do about it.
std::string advice(char kind) {
  switch (kind) {
    case 'c':
      return "complex numbers, expected real ones; save array.real, or real and imaginary parts as "
             "columns";
    case 'O':
      return "Python objects, expected numbers; save array.astype('float32')";
    case 'M':
    case 'm':
      return "dates or durations, expected numbers; save array.astype('int64')";
    case 'S':
    case 'U':
    case 'a':
      return "text, expected numbers; words become categories in a table keyed by id (.tsv, .csv)";
    case 'V':
      return "raw bytes, expected numbers; save the fields as columns";
    default:
      return "expected numbers of at most 64 bits; save array.astype('float32')";
  }
}

}  // namespace

bool NpyType::is_stored_unchanged() const {
  return !swapped && ((kind == 'f' && bytes >= 4) || (kind == 'i' && bytes >= 4));
}

NpyType find_npy_type(std::string_view descr, const std::string& file) {
  NpyType type;
  std::string_view rest = descr;
  if (!rest.empty() && (rest[0] == '<' || rest[0] == '>' || rest[0] == '|' || rest[0] == '=')) {
    type.swapped = rest[0] == '>';
    rest.remove_prefix(1);
  }
  type.kind = rest.empty() ? '\0' : rest[0];
  const std::string_view size = rest.substr(rest.empty() ? 0 : 1);
  type.bytes = size.size() == 1 ? static_cast<std::size_t>(size[0] - '0') : 0;
  const bool power = type.bytes == 1 || type.bytes == 2 || type.bytes == 4 || type.bytes == 8;
  const bool known = type.kind == 'b'                       ? type.bytes == 1
                     : type.kind == 'i' || type.kind == 'u' ? power
                     : type.kind == 'f'                     ? power && type.bytes > 1
                                                            : false;
  if (!known) {
    throw DataError(file, 0,
                    fmt::format("found elements of type {}: {}", quote(descr), advice(type.kind)));
  }
  if (type.kind == 'f') {
    type.stored_as = type.bytes == 8 ? kF64 : kF32;
  } else if (type.bytes == 8) {
    type.stored_as = type.kind == 'u' ? kF64 : kI64;
  } else {
    type.stored_as = type.kind == 'u' && type.bytes == 4 ? kI64 : kI32;
  }
  return type;
}

float half_to_float(std::uint16_t bits) {
  const int exponent = (bits >> 10) & 31;
  const int mantissa = bits & 1023;
  const bool negative = (bits & 0x8000) != 0;
  if (exponent == 31) {
    const std::uint32_t wide = 0x7F800000U | (static_cast<std::uint32_t>(mantissa) << 13);
    return std::bit_cast<float>(negative ? wide | 0x80000000U : wide);
  }
  const float magnitude = exponent == 0
                              ? std::ldexp(static_cast<float>(mantissa), -24)
                              : std::ldexp(static_cast<float>(mantissa + 1024), exponent - 25);
  return negative ? -magnitude : magnitude;
}

}  // namespace tern
