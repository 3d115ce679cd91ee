#include <fmt/format.h>

#include <cstddef>
#include <iterator>
#include <string_view>
#include <vector>

#include "host/python/arrow.hpp"
#include "host/python/arrow_ids.hpp"
#include "host/python/arrow_values.hpp"

namespace tern::python {
namespace {

/// As a field of a table with commas, whatever is in it.
void append_quoted(std::string_view value, std::string& text) {
  text += '"';
  for (const char c : value) {
    if (c == '"') text += '"';
    text += c;
  }
  text += '"';
}

/// A column of a table of features.
class ArrowFeature {
 public:
  ArrowFeature(const ArrowSchema& column, std::int64_t place)
      : name_(column.name == nullptr ? "" : column.name), place_(place), format_(column.format) {
    if (column.dictionary != nullptr) values_ = column.dictionary->format;
    const std::string_view kind = values_.empty() ? format_ : values_;
    is_category_ = !values_.empty() || is_text(kind);
    const bool is_number = is_integer(kind) || kind == "f" || kind == "g" || kind == "b";
    if (is_number || is_text(kind) || is_time(kind)) return;
    throw_type(name_, kind, "numbers, times, truth values or text");
  }

  void append_name(std::string& text) const {
    // A category may consist of digits.
    append_quoted(is_category_ ? name_ + ":token" : name_, text);
  }

  /// A missing value is an empty field.
  void append_value(const ArrowArray& chunk, std::int64_t row, std::string& text) const {
    const ArrowArray& column = *chunk.children[place_];
    const std::int64_t at = chunk.offset + row;
    if (!is_valid(chunk, row) || !is_valid(column, at)) return;
    if (values_.empty()) return append(format_, column, at, text);
    std::int64_t index = 0;
    with_integer(format_, column, at,
                 [&](auto integer) { index = static_cast<std::int64_t>(integer); });
    if (is_valid(*column.dictionary, index)) append(values_, *column.dictionary, index, text);
  }

 private:
  static void append(std::string_view format, const ArrowArray& array, std::int64_t at,
                     std::string& text) {
    const auto append_number = [&](auto number) {
      fmt::format_to(std::back_inserter(text), "{}", number);
    };
    if (format == "b") return append_number(bit_at(array, 1, at) ? 1 : 0);
    if (format == "f") return append_number(value_at<float>(array, at));
    if (format == "g") return append_number(value_at<double>(array, at));
    if (is_text(format)) {
      return with_id(format, array, at,
                     [&](const ExternalId& value) { append_quoted(value.text(), text); });
    }
    if (is_time(format)) format = format == "tdD" ? "i" : "l";
    with_integer(format, array, at, [&](auto number) { append_number(number); });
  }

  std::string name_;
  std::int64_t place_;
  std::string format_;
  std::string values_;  // the format of a dictionary's values; empty without one
  bool is_category_ = false;
};

}  // namespace

std::string read_arrow_features(ArrowArrayStream& stream, const std::string& key) {
  Released<ArrowSchema> schema;
  read_schema(stream, schema);
  const std::int64_t key_place = find_column(schema, key);
  Vocabulary ids;
  const IdColumn id_column(schema, key, ids);
  std::vector<ArrowFeature> sources;
  for (std::int64_t c = 0; c < schema.n_children; ++c) {
    if (c != key_place) sources.emplace_back(*schema.children[c], c);
  }
  std::string text;
  append_quoted(key, text);
  for (const ArrowFeature& source : sources) {
    text += ',';
    source.append_name(text);
  }
  text += '\n';
  std::vector<NodeId> codes;
  for (;;) {
    Released<ArrowArray> chunk;
    if (!read_chunk(stream, chunk)) return text;
    const std::size_t rows_before = codes.size();
    id_column.read(chunk, static_cast<std::int64_t>(rows_before), codes);
    for (std::int64_t row = 0; row < chunk.length; ++row) {
      append_quoted(ids.name(codes[rows_before + static_cast<std::size_t>(row)]), text);
      for (const ArrowFeature& source : sources) {
        text += ',';
        source.append_value(chunk, row, text);
      }
      text += '\n';
    }
  }
}

}  // namespace tern::python
