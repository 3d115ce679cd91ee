#include "host/data/table.hpp"

#include <fmt/format.h>

#include <algorithm>

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
  constexpr std::size_t kMaxIdBytes = 65'535;
  const std::string_view id = field.value(scratch);
  if (id.empty()) {
    throw TextError{row, fmt::format("{} id is empty, expected at least one byte", kind)};
  }
  if (id.size() > kMaxIdBytes) {
    throw TextError{row, fmt::format("{} id {} is too long, expected at most {} bytes", kind,
                                     quote(id), kMaxIdBytes)};
  }
  if (id.find_first_of("\t\n") != std::string_view::npos) {
    throw TextError{
        row, fmt::format("{} id {} has a tab or a line end, expected none", kind, quote(id))};
  }
  return id;
}

bool RowReader::next(std::vector<Field>& fields) {
  while (cursor_ < end_) {
    row_ = cursor_;
    const std::string_view line = next_line(cursor_, end_);
    if (line.empty()) {
      ++blank_lines_;
      continue;
    }
    fields.clear();
    if (format_ == TableFormat::kCsv && line.find('"') != std::string_view::npos) {
      cursor_ = row_;
      split_quoted(fields);
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
  const char delimiter = delimiter_of(format_);
  while (true) {
    const std::size_t stop = line.find(delimiter);
    const std::string_view text = line.substr(0, stop);
    add({format_ == TableFormat::kCsv ? trim(text) : text}, fields);
    if (stop == std::string_view::npos) return;
    line.remove_prefix(stop + 1);
  }
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
  while (true) {
    while (cursor_ < end_ && is_blank(*cursor_)) ++cursor_;
    const char* begin = cursor_;
    const bool quoted = cursor_ < end_ && *cursor_ == '"';
    if (quoted) add(quoted_field(), fields);
    const char* behind = cursor_;
    cursor_ = std::find_if(cursor_, end_, [](char c) { return c == ',' || c == '\n'; });
    std::string_view rest(behind, static_cast<std::size_t>(cursor_ - behind));
    const bool last = cursor_ == end_ || *cursor_ == '\n';
    if (last && rest.ends_with('\r')) rest.remove_suffix(1);
    rest = trim(rest);
    if (quoted && !rest.empty()) {
      throw TextError{behind, fmt::format("{} follows a closing quote, expected a comma or the "
                                          "line's end",
                                          quote(rest))};
    }
    if (!quoted) {
      if (rest.find('"') != std::string_view::npos) {
        throw TextError{begin, fmt::format("field {} has a quote inside, expected quotes around "
                                           "the whole field and doubled ones within",
                                           quote(rest))};
      }
      add({rest}, fields);
    }
    if (cursor_ < end_) ++cursor_;
    if (last) return;
  }
}

void RowReader::check_row(const std::vector<Field>& fields) const {
  const auto* nul =
      static_cast<const char*>(std::memchr(row_, '\0', static_cast<std::size_t>(cursor_ - row_)));
  if (nul != nullptr) throw TextError{nul, "the row has a NUL byte, expected text"};
  if (num_fields_ != 0 && fields.size() != num_fields_) {
    throw TextError{
        row_,
        fmt::format("found {} columns, expected {} as in the first row ({}-separated)",
                    fields.size(), num_fields_, format_ == TableFormat::kTsv ? "tab" : "comma")};
  }
}

}  // namespace tern
