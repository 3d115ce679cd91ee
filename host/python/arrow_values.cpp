#include "host/python/arrow_values.hpp"

#include <fmt/format.h>

#include "host/python/arrow_types.hpp"
#include "host/support/message.hpp"
#include "tern/error.hpp"

namespace tern::python {
namespace {

void check(ArrowArrayStream& stream, int status) {
  if (status == 0) return;
  const char* reason = stream.get_last_error(&stream);
  throw DataError(kTablePlace, 0, reason != nullptr ? reason : "the table cannot be read");
}

}  // namespace

void read_schema(ArrowArrayStream& stream, ArrowSchema& schema) {
  check(stream, stream.get_schema(&stream, &schema));
  if (std::string_view(schema.format) == "+s") return;
  throw DataError(kTablePlace, 0, "found one array, expected a table of columns");
}

bool read_chunk(ArrowArrayStream& stream, ArrowArray& chunk) {
  check(stream, stream.get_next(&stream, &chunk));
  return chunk.release != nullptr;
}

std::int64_t find_column(const ArrowSchema& schema, const std::string& name) {
  std::string known;
  for (std::int64_t c = 0; c < schema.n_children; ++c) {
    const char* given = schema.children[c]->name;  // Arrow allows null
    const std::string column = given == nullptr ? "" : given;
    if (column == name) return c;
    known += (c == 0 ? "" : ", ") + quote(column);
  }
  throw DataError(kTablePlace, 0,
                  fmt::format("there is no column {}; found {}", quote(name), known));
}

void throw_type(const std::string& column, std::string_view format, std::string_view expected) {
  throw DataError(kTablePlace, 0,
                  fmt::format("column {} holds {}, expected {}", quote(column),
                              arrow_type_name(format), expected));
}

}  // namespace tern::python
