#pragma once

#include <cstddef>
#include <string_view>

namespace tern::cli {

/// The columns of a terminal that the text (UTF-8) takes: two for a wide character, none for a
/// combining one, one for a byte that is not UTF-8.
std::size_t columns_of(std::string_view text);

/// The longest beginning, in whole characters, that takes at most so many columns.
std::string_view first_columns(std::string_view text, std::size_t columns);

}  // namespace tern::cli
