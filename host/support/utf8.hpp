#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace tern {

/// The length in bytes of the UTF-8 sequence at the beginning of a text; 0 if it is not valid.
/// Overlong forms, surrogates and code points above U+10FFFF are not valid. Source: Unicode 15, table
/// 3-7.
std::size_t utf8_length(std::string_view text);

bool is_utf8(std::string_view text);

/// The text with its letters A to Z in lower case; all other characters stay.
std::string to_lower(std::string_view text);

}  // namespace tern
