#pragma once

#include <cstdint>
#include <string_view>

namespace tern {

/// CRC-32C (Castagnoli): the reflected polynomial 0x82F63B78, all bits set before and inverted after.
/// A byte at a time, for records of some kilobytes. Source: RFC 3720, B.4.
std::uint32_t crc32c(std::string_view bytes);

}  // namespace tern
