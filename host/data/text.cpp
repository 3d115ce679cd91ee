#include "host/data/text.hpp"

#include <fast_float/fast_float.h>
#include <fmt/format.h>

#include <algorithm>

#include "host/support/message.hpp"

namespace tern {
namespace {

using namespace std::string_view_literals;

/// For each chunk, whether it begins within a quoted field. This is so after an odd number of double
/// quotes, because RFC 4180 doubles a quote inside a field.
std::vector<char> inside_quotes(std::string_view text, std::size_t chunk_bytes, std::size_t count) {
  std::vector<char> odd(count, 0);
  parallel_for(static_cast<std::int64_t>(count), [&](std::int64_t i) {
    const std::string_view piece =
        text.substr(static_cast<std::size_t>(i) * chunk_bytes, chunk_bytes);
    odd[static_cast<std::size_t>(i)] =
        static_cast<char>(std::count(piece.begin(), piece.end(), '"') & 1);
  });
  char state = 0;
  for (char& parity : odd) {
    const char before = state;
    state = static_cast<char>(state ^ parity);
    parity = before;
  }
  return odd;
}

/// The beginning of the first line after place; `quoted`: place is within a quoted field.
std::size_t next_line_begin(std::string_view text, std::size_t place, bool quoted) {
  for (; place < text.size(); ++place) {
    if (text[place] == '"') quoted = !quoted;
    if (text[place] == '\n' && !quoted) return place + 1;
  }
  return text.size();
}

}  // namespace

std::string_view checked_text(std::string_view bytes, const std::string& file) {
  if (bytes.starts_with("\xEF\xBB\xBF"sv)) bytes.remove_prefix(3);
  if (bytes.starts_with("\xFF\xFE"sv) || bytes.starts_with("\xFE\xFF"sv)) {
    throw DataError(file, 1,
                    "the text is UTF-16, expected UTF-8; convert it, for example with iconv -f "
                    "UTF-16 -t UTF-8");
  }
  if (bytes.empty()) throw DataError(file, 0, "the file is empty, expected at least one line");
  if (bytes.find_first_not_of(" \t\r\n") == std::string_view::npos) {
    throw DataError(file, 0, "the file has only blank lines, expected at least one line of data");
  }
  if (bytes.find('\n') == std::string_view::npos && bytes.find('\r') < bytes.size() - 1) {
    throw DataError(file, 1,
                    "the lines end with CR alone, expected LF or CR LF; convert them, for example "
                    "with tr '\\r' '\\n'");
  }
  return bytes;
}

std::vector<std::string_view> split_at_lines(std::string_view text, Quotes quotes,
                                             std::size_t chunk_bytes) {
  const bool by_quotes = quotes == Quotes::kDouble && text.find('"') != std::string_view::npos;
  const std::size_t count = (text.size() + chunk_bytes - 1) / chunk_bytes;
  const std::vector<char> inside =
      by_quotes ? inside_quotes(text, chunk_bytes, count) : std::vector<char>(count, 0);

  std::vector<std::string_view> chunks;
  std::size_t begin = 0;
  for (std::size_t i = 1; i <= count && begin < text.size(); ++i) {
    const std::size_t tentative = i * chunk_bytes;
    // The previous chunk's last line already covers this one.
    if (i < count && tentative <= begin) continue;
    std::size_t end = text.size();
    if (i < count && by_quotes) {
      end = next_line_begin(text, tentative, inside[i] != 0);
    } else if (i < count) {
      const std::size_t newline = text.find('\n', tentative);
      if (newline != std::string_view::npos) end = newline + 1;
    }
    chunks.push_back(text.substr(begin, end - begin));
    begin = end;
  }
  return chunks;
}

std::size_t chunk_bytes_for(std::string_view text) {
  constexpr std::size_t kMaxChunks = 64;
  constexpr std::size_t kMinBytes = std::size_t{1} << 17;
  return std::max(kMinBytes, text.size() / kMaxChunks + 1);
}

std::int64_t line_of(std::string_view text, const char* where) {
  return 1 + std::count(text.data(), where, '\n');
}

std::optional<double> parse_number(std::string_view text, DecimalComma comma) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  if (text.starts_with('+') && !text.starts_with("+-"sv)) text.remove_prefix(1);
  double value = 0;
  const auto parse = [&](std::string_view number) {
    const char* end = number.data() + number.size();
    const auto [stop, status] = fast_float::from_chars(number.data(), end, value);
    return status == std::errc() && stop == end;
  };
  if (parse(text)) return value;
  const std::size_t place = text.find(',');
  if (comma == DecimalComma::kRefused || place == std::string_view::npos) return std::nullopt;
  // A comma between digits, no second one, and no decimal point.
  const auto is_digit = [&](std::size_t i) {
    return i < text.size() && text[i] >= '0' && text[i] <= '9';
  };
  constexpr std::size_t kMaxLength = 64;
  if (place == 0 || !is_digit(place - 1) || !is_digit(place + 1) || text.size() > kMaxLength ||
      text.find_first_of(",.", place + 1) != std::string_view::npos) {
    return std::nullopt;
  }
  std::string pointed(text);
  pointed[place] = '.';
  return parse(pointed) ? std::optional(value) : std::nullopt;
}

std::int64_t blank_out_comments(std::span<char> text) {
  const std::string_view all(text.data(), text.size());
  std::size_t place = all.starts_with("\xEF\xBB\xBF"sv) ? 3 : 0;
  std::int64_t comments = 0;
  const auto is_comment = [&] {
    const char second = place + 1 < all.size() ? all[place + 1] : '\0';
    const bool mark = place < all.size() && (all[place] == '#' || all[place] == '%');
    return mark && (second == ' ' || second == '\n' || second == '\r');
  };
  // "sep=;" tells Excel the separator, which the rows show anyway.
  const auto is_separator = [&] {
    const std::string_view line = all.substr(place, all.find_first_of("\r\n", place) - place);
    return comments == 0 && line.size() == 5 && line.starts_with("sep=");
  };
  while (is_comment() || is_separator()) {
    for (; place < text.size() && text[place] != '\n'; ++place) {
      if (text[place] != '\r') text[place] = ' ';
    }
    if (place < text.size()) ++place;
    ++comments;
  }
  return comments;
}

std::string fault_of_id(std::string_view kind, std::string_view id) {
  constexpr std::size_t kMaxIdBytes = 65'535;
  if (id.empty()) return fmt::format("{} id is empty, expected at least one byte", kind);
  if (id.size() > kMaxIdBytes) {
    return fmt::format("{} id {} is too long, expected at most {} bytes", kind, quote(id),
                       kMaxIdBytes);
  }
  if (id.find_first_of("\t\n") != std::string_view::npos) {
    return fmt::format("{} id {} has a tab or a line end, expected none", kind, quote(id));
  }
  return "";
}

ByteBuffer latin1_to_utf8(std::string_view text) {
  const auto above = std::count_if(text.begin(), text.end(),
                                   [](char c) { return static_cast<unsigned char>(c) >= 0x80; });
  ByteBuffer utf8;
  utf8.reserve(text.size() + static_cast<std::size_t>(above) + 1);
  char* out = utf8.end();
  for (const char c : text) {
    const auto code = static_cast<unsigned char>(c);
    if (code < 0x80) {
      *out++ = c;
    } else {
      *out++ = static_cast<char>(0xC0 | (code >> 6));
      *out++ = static_cast<char>(0x80 | (code & 0x3F));
    }
  }
  utf8.extend(static_cast<std::size_t>(out - utf8.end()));
  return utf8;
}

}  // namespace tern
