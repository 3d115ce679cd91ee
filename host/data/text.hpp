#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "host/support/file_bytes.hpp"
#include "host/support/parallel.hpp"
#include "tern/error.hpp"

namespace tern {

// Shared by all text formats. A text is cut at line ends into chunks, which are parsed in parallel
// and joined in order. The chunks depend on the text alone, never on the number of threads.

/// The exception of parsers: a place in the text, and a message. for_each_chunk turns the first one
/// in file order into a DataError. Lines are counted only then.
struct TextError {
  const char* where = nullptr;
  std::string message;
};

/// The text without its UTF-8 byte order mark. Throws DataError on UTF-16, on a text of blank lines only,
/// and on lines that end with CR alone.
std::string_view checked_text(std::string_view bytes, const std::string& file);

/// Chunks of about `chunk_bytes` bytes that end at line ends, or at the end of the text. With
/// Quotes::kDouble, line ends between double quotes do not count.
enum class Quotes { kNone, kDouble };
std::vector<std::string_view> split_at_lines(std::string_view text, Quotes quotes,
                                             std::size_t chunk_bytes);

/// The chunk size for a text: at most 64 chunks, of at least 128 KiB.
std::size_t chunk_bytes_for(std::string_view text);

/// The line of a place in the text, from 1.
std::int64_t line_of(std::string_view text, const char* where);

/// The text as a number: decimal or scientific, with an optional sign and blanks around it; not
/// hexadecimal, not out of range. Accepts NaN and infinities, which callers must check. With
/// DecimalComma::kAllowed, one comma between digits counts as a decimal point: "3,5".
enum class DecimalComma { kRefused, kAllowed };
std::optional<double> parse_number(std::string_view text,
                                   DecimalComma comma = DecimalComma::kRefused);

/// A text in Latin-1 (ISO 8859-1) as UTF-8.
ByteBuffer latin1_to_utf8(std::string_view text);

inline bool is_blank_line(std::string_view line) {
  return line.find_first_not_of(" \t") == std::string_view::npos;
}

/// The rule of ids that a text breaks, for an error: empty, longer than 65,535 bytes, or with a tab or a
/// line end. Empty if it breaks none. kind: "user" or "item".
std::string fault_of_id(std::string_view kind, std::string_view id);

/// Overwrites comments at the beginning of a text with spaces: lines that begin with "# " or "% ", as in
/// files of SNAP and KONECT, or have only that character, and Excel's "sep=;" as the first line. They then count as blank lines, so that other lines keep their numbers.
/// Returns how many there were.
std::int64_t blank_out_comments(std::span<char> text);

/// Returns the line at cursor without its end ("\n", "\r\n", or the text's), and moves cursor behind
/// it.
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
