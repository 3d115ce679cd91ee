#include "host/data/table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "host/data/text.hpp"
#include "host/support/message.hpp"

namespace tern {
namespace {

bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

}  // namespace

std::string separator_name(const TableFormat& format) {
  if (format.separation == Separation::kBlanks) return "blank";
  if (format.separation == Separation::kDoubled) {
    return fmt::format("\"{0}{0}\"", format.separator);
  }
  switch (format.separator) {
    case '\t':
      return "tab";
    case ',':
      return "comma";
    case ';':
      return "semicolon";
    case '|':
      return "pipe";
    default:
      return quote(std::string_view(&format.separator, 1));
  }
}

std::string_view Field::value(std::string& scratch) const {
  if (!escaped) return text;
  scratch.clear();
  for (std::size_t i = 0; i < text.size(); ++i) {
    scratch += text[i];
    if (text[i] == '"') ++i;  // the second of two
  }
  return scratch;
}

std::string_view id_value(std::string_view kind, const Field& field, const char* row,
                          std::string& scratch) {
  const std::string_view id = field.value(scratch);
  if (std::string fault = fault_of_id(kind, id); !fault.empty()) {
    throw TextError{row, std::move(fault)};
  }
  return id;
}

bool RowReader::is_blank_row(std::string_view line) const {
  const bool tabs = format_.separator == '\t' && format_.separation == Separation::kOne;
  return line.find_first_not_of(tabs ? " " : " \t") == std::string_view::npos;
}

bool RowReader::next(std::vector<Field>& fields) {
  while (cursor_ < end_) {
    row_ = cursor_;
    const std::string_view line = next_line(cursor_, end_);
    if (is_blank_row(line)) {
      ++blank_lines_;
      continue;
    }
    fields.clear();
    if (format_.quotes == Quotes::kDouble && line.find('"') != std::string_view::npos) {
      cursor_ = row_;
      split_quoted(fields);
    } else if (format_.separation == Separation::kBlanks) {
      split_at_blanks(line, fields);
    } else {
      split(line, fields);
    }
    check_row(fields);
    return true;
  }
  return false;
}

void RowReader::add(Field field, std::vector<Field>& fields) const {
  if (fields.size() == kMaxColumns) {
    throw TextError{row_, fmt::format("the row has more than {} columns", kMaxColumns)};
  }
  fields.push_back(field);
}

void RowReader::split(std::string_view line, std::vector<Field>& fields) const {
  const std::array<char, 2> doubled{format_.separator, format_.separator};
  const std::size_t width = format_.separation == Separation::kDoubled ? 2 : 1;
  while (true) {
    const std::size_t stop = width == 1 ? line.find(format_.separator)
                                        : line.find(std::string_view(doubled.data(), width));
    const std::string_view text = line.substr(0, stop);
    add({trims() ? trim(text) : text}, fields);
    if (stop == std::string_view::npos) return;
    line.remove_prefix(stop + width);
  }
}

void RowReader::split_at_blanks(std::string_view line, std::vector<Field>& fields) const {
  for (line = trim(line); !line.empty();) {
    const auto* stop = std::find_if(line.begin(), line.end(), is_blank);
    const auto size = static_cast<std::size_t>(stop - line.begin());
    add({line.substr(0, size)}, fields);
    line.remove_prefix(size);
    while (!line.empty() && is_blank(line.front())) line.remove_prefix(1);
  }
}

/// Whether a separator or a line end begins at the place, which is before the end.
bool RowReader::ends_field(const char* place) const {
  if (*place == '\n') return true;
  switch (format_.separation) {
    case Separation::kOne:
      return *place == format_.separator;
    case Separation::kDoubled:
      return *place == format_.separator && place + 1 < end_ && place[1] == format_.separator;
    case Separation::kBlanks:
      break;
  }
  return is_blank(*place);
}

/// Reads the field that begins with the quote at cursor_, and moves cursor_ behind its closing quote.
Field RowReader::quoted_field() {
  const char* open = cursor_++;
  Field field{{}, true};
  while (true) {
    cursor_ = std::find(cursor_, end_, '"');
    if (cursor_ == end_) {
      throw TextError{open, "unclosed quote, expected another before the end of the file"};
    }
    ++cursor_;
    if (cursor_ == end_ || *cursor_ != '"') break;
    field.escaped = true;
    ++cursor_;
  }
  field.text = {open + 1, static_cast<std::size_t>(cursor_ - open - 2)};
  return field;
}

void RowReader::split_quoted(std::vector<Field>& fields) {
  const bool at_blanks = format_.separation == Separation::kBlanks;
  const auto ends_line = [&](const char* place) {
    if (place < end_ && *place == '\r') ++place;
    return place == end_ || *place == '\n';
  };
  while (true) {
    while (trims() && cursor_ < end_ && is_blank(*cursor_)) ++cursor_;
    if (at_blanks && !fields.empty() && ends_line(cursor_)) {
      static_cast<void>(next_line(cursor_, end_));
      return;
    }
    const char* begin = cursor_;
    const bool quoted = cursor_ < end_ && *cursor_ == '"';
    if (quoted) add(quoted_field(), fields);
    const char* behind = cursor_;
    while (cursor_ < end_ && !ends_field(cursor_)) ++cursor_;
    std::string_view rest(behind, static_cast<std::size_t>(cursor_ - behind));
    const bool last = cursor_ == end_ || *cursor_ == '\n';
    if (last && rest.ends_with('\r')) rest.remove_suffix(1);
    if (trims()) rest = trim(rest);
    if (quoted && !rest.empty()) {
      throw TextError{behind, fmt::format("{} follows a closing quote, expected a {} or the "
                                          "line's end",
                                          quote(rest), separator_name(format_))};
    }
    if (!quoted) {
      if (rest.find('"') != std::string_view::npos) {
        throw TextError{begin, fmt::format("field {} has a quote inside, expected quotes around "
                                           "the whole field and doubled ones within",
                                           quote(rest))};
      }
      add({rest}, fields);
    }
    if (cursor_ < end_) cursor_ += !last && format_.separation == Separation::kDoubled ? 2 : 1;
    if (last) return;
  }
}

void RowReader::check_row(const std::vector<Field>& fields) const {
  const auto* nul =
      static_cast<const char*>(std::memchr(row_, '\0', static_cast<std::size_t>(cursor_ - row_)));
  if (nul != nullptr) throw TextError{nul, "the row has a NUL byte, expected text"};
  if (num_fields_ != 0 && fields.size() != num_fields_) {
    throw TextError{row_,
                    fmt::format("found {} columns, expected {} as in the first row ({}-separated)",
                                fields.size(), num_fields_, separator_name(format_))};
  }
}

}  // namespace tern
