#include "host/python/arrow.hpp"

#include <fmt/format.h>

#include <limits>
#include <string_view>

#include "host/python/arrow_ids.hpp"
#include "host/python/arrow_values.hpp"
#include "host/support/message.hpp"
#include "tern/error.hpp"

namespace tern::python {
namespace {

void read_numbers(const ArrowSchema& schema, const std::string& name, const ArrowArray& chunk,
                  std::vector<double>& numbers) {
  const std::int64_t place = find_column(schema, name);
  std::string_view format = schema.children[place]->format;
  if (is_time(format)) format = format == "tdD" ? "i" : "l";
  if (!is_integer(format) && format != "f" && format != "g") {
    throw_type(name, schema.children[place]->format, "numbers or times");
  }
  const ArrowArray& column = *chunk.children[place];
  for (std::int64_t row = 0; row < chunk.length; ++row) {
    const std::int64_t at = chunk.offset + row;
    double number = std::numeric_limits<double>::quiet_NaN();
    if (is_valid(chunk, row) && is_valid(column, at)) {
      if (format == "f") number = value_at<float>(column, at);
      if (format == "g") number = value_at<double>(column, at);
      with_integer(format, column, at,
                   [&](auto integer) { number = static_cast<double>(integer); });
    }
    numbers.push_back(number);
  }
}

}  // namespace

CodedColumns read_arrow(ArrowArrayStream& stream, const ColumnNames& columns, Vocabulary& users,
                        Vocabulary& items) {
  Released<ArrowSchema> schema;
  read_schema(stream, schema);
  const IdColumn user_column(schema, columns.user, users);
  const IdColumn item_column(schema, columns.item, items);
  CodedColumns read;
  for (;;) {
    Released<ArrowArray> chunk;
    if (!read_chunk(stream, chunk)) return read;
    const auto rows_before = static_cast<std::int64_t>(read.users.size());
    user_column.read(chunk, rows_before, read.users);
    item_column.read(chunk, rows_before, read.items);
    if (columns.rating) read_numbers(schema, *columns.rating, chunk, read.ratings);
    if (columns.timestamp) read_numbers(schema, *columns.timestamp, chunk, read.times);
  }
}

}  // namespace tern::python
