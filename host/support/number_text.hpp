#pragma once

#include <cstdint>
#include <string>

namespace tern {

// Numbers for people.

/// 1234567 -> "1,234,567".
std::string grouped(std::int64_t value);
/// Seconds for people: "0.42 s", "12.3 s", "3:05" (minutes), "2:03:05" (hours).
std::string duration(double seconds);
/// About four significant digits, with an exponent only for extreme values: "0.1128", "1,234".
std::string brief(double value);

}  // namespace tern
