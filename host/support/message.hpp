#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tern {

// Parts of messages for people.

/// A text of the user's in quotes. Control characters and bytes that are not UTF-8 are escaped, and
/// the text is cut after the character that holds byte 40.
std::string quote(std::string_view text);
/// The name itself if it is short and nothing needs escaping, else quote(name).
std::string in_message(std::string_view name);

/// A size with a unit: "17 kB", "1.5 GB". Units are powers of 1000.
std::string format_bytes(std::int64_t bytes);

}  // namespace tern
