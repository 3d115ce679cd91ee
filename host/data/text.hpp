#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "host/support/parallel.hpp"
#include "tern/error.hpp"

namespace tern {

// Shared by all text formats. A text is cut into chunks at line ends, which are parsed in parallel
// and joined in order; the chunks depend on the text alone, never on the number of threads.

/// The exception of parsers: a place in the text, and what is wrong there. for_each_chunk turns the
/// first one in file order into a DataError; only then are lines counted.
struct TextError {
  const char* where = nullptr;
  std::string message;
};

/// The text after its UTF-8 byte order mark, if it has one. Throws DataError on UTF-16, and on a
/// text without any line that is not blank.
std::string_view checked_text(std::string_view bytes, const std::string& file);

/// Pieces of about `chunk_bytes` bytes that end at line ends (the last perhaps without one). With
/// `quoted`, line ends between double quotes do not count.
enum class Quotes { kNone, kDouble };
std::vector<std::string_view> split_at_lines(std::string_view text, Quotes quotes,
                                             std::size_t chunk_bytes);

/// The chunk size for a text: at most 64 chunks, none of them tiny.
std::size_t chunk_bytes_for(std::string_view text);

/// The line of a place in the text, from 1.
std::int64_t line_of(std::string_view text, const char* where);

/// text as a number: decimal or scientific, a sign, blanks around it; not hexadecimal, and
/// not out of range. NaN and infinities are numbers here; callers check.
std::optional<double> parse_number(std::string_view text);

/// The line at cursor without its end ("\n", "\r\n", or the text's), and moves cursor behind it.
inline std::string_view next_line(const char*& cursor, const char* end) {
  const char* begin = cursor;
  const auto left = static_cast<std::size_t>(end - begin);
  const auto* stop = static_cast<const char*>(std::memchr(begin, '\n', left));
  cursor = stop == nullptr ? end : stop + 1;
  if (stop == nullptr) stop = end;
  if (stop > begin && stop[-1] == '\r') --stop;
  return {begin, static_cast<std::size_t>(stop - begin)};
}

/// Runs body(i) for every chunk i of the text; see parallel_for. A TextError becomes a DataError.
template <typename Body>
void for_each_chunk(std::string_view text, const std::string& file, std::int64_t num_chunks,
                    const Body& body) {
  try {
    parallel_for(num_chunks, body);
  } catch (const TextError& error) {
    throw DataError(file, line_of(text, error.where), error.message);
  }
}

}  // namespace tern
