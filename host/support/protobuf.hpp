#pragma once

#include <bit>
#include <cstdint>
#include <string>
#include <string_view>

namespace tern {

/// A message of Protocol Buffers, field by field, in the order of the calls. `field` is its number
/// in the .proto file. Source: protobuf.dev/programming-guides/encoding.
class ProtobufMessage {
 public:
  /// int32, int64, bool and enum. Negative numbers take ten bytes.
  ProtobufMessage& integer(std::uint32_t field, std::int64_t value) {
    tag(field, kVarint);
    varint(static_cast<std::uint64_t>(value));
    return *this;
  }
  ProtobufMessage& real(std::uint32_t field, double value) {
    tag(field, kFixed64);
    fixed(std::bit_cast<std::uint64_t>(value));
    return *this;
  }
  ProtobufMessage& single(std::uint32_t field, float value) {
    tag(field, kFixed32);
    fixed(std::bit_cast<std::uint32_t>(value));
    return *this;
  }
  /// string and bytes.
  ProtobufMessage& text(std::uint32_t field, std::string_view value) {
    tag(field, kDelimited);
    varint(value.size());
    bytes_ += value;
    return *this;
  }
  ProtobufMessage& message(std::uint32_t field, const ProtobufMessage& value) {
    return text(field, value.bytes());
  }

  const std::string& bytes() const noexcept { return bytes_; }

 private:
  static constexpr std::uint32_t kVarint = 0;
  static constexpr std::uint32_t kFixed64 = 1;
  static constexpr std::uint32_t kDelimited = 2;
  static constexpr std::uint32_t kFixed32 = 5;

  void tag(std::uint32_t field, std::uint32_t wire_type) { varint(field << 3 | wire_type); }
  void varint(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) bytes_ += static_cast<char>(value | 0x80);
    bytes_ += static_cast<char>(value);
  }
  /// Little-endian.
  template <typename Word>
  void fixed(Word word) {
    for (unsigned i = 0; i < sizeof(word); ++i) {
      bytes_ += static_cast<char>(word >> (8 * i) & 0xFFu);
    }
  }

  std::string bytes_;
};

}  // namespace tern
