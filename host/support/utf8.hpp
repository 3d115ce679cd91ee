#pragma once

#include <cstddef>
#include <string_view>

namespace tern {

/// The number of bytes of the UTF-8 sequence that a text begins with, 0 if there is none: no
/// overlong forms, no surrogates, nothing above U+10FFFF. Source: Unicode 15, table 3-7.
std::size_t utf8_length(std::string_view text);

bool is_utf8(std::string_view text);

}  // namespace tern
