#pragma once

#include <string>
#include <string_view>

namespace tern {

/// The text between single quotes of a POSIX shell.
std::string shell_quoted(std::string_view text);

/// The word that a POSIX shell reads as this text: itself, or in single quotes.
std::string shell_word(std::string_view text);

}  // namespace tern
