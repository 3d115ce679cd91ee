#include "host/python/arrow_ids.hpp"

#include <fmt/format.h>

#include "host/python/arrow_values.hpp"
#include "host/support/message.hpp"
#include "tern/error.hpp"
#include "tern/external_id.hpp"

namespace tern::python {

NodeId add_id(Vocabulary& names, const ExternalId& id, const std::string& column,
              std::int64_t number) {
  try {
    return names.add(id.text());
  } catch (const ShapeError& error) {
    throw DataError(kTablePlace, number, fmt::format("column {}: {}", quote(column), error.what()));
  }
}

IdColumn::IdColumn(const ArrowSchema& schema, const std::string& name, Vocabulary& names)
    : name_(name), place_(find_column(schema, name)), names_(names) {
  const ArrowSchema& column = *schema.children[place_];
  format_ = column.format;
  if (column.dictionary != nullptr) values_ = column.dictionary->format;
  const std::string& ids = values_.empty() ? format_ : values_;
  if (!is_integer(ids) && !is_text(ids)) {
    throw_type(name, ids, "integers or text as ids");
  }
}

void IdColumn::read(const ArrowArray& chunk, std::int64_t rows_before,
                    std::vector<NodeId>& codes) const {
  const ArrowArray& column = *chunk.children[place_];
  std::vector<NodeId> of_value(values_.empty() ? 0 : column.dictionary->length, -1);
  for (std::int64_t row = 0; row < chunk.length; ++row) {
    const std::int64_t at = chunk.offset + row;
    const std::int64_t number = rows_before + row + 1;
    if (!is_valid(chunk, row) || !is_valid(column, at)) throw_missing(number);
    codes.push_back(values_.empty() ? code(format_, column, at, number)
                                    : code_of_value(column, at, number, of_value));
  }
}

NodeId IdColumn::code(std::string_view format, const ArrowArray& array, std::int64_t at,
                      std::int64_t number) const {
  NodeId found = 0;
  with_id(format, array, at,
          [&](const ExternalId& id) { found = add_id(names_, id, name_, number); });
  return found;
}

/// A value of a dictionary is looked up once.
NodeId IdColumn::code_of_value(const ArrowArray& column, std::int64_t at, std::int64_t number,
                               std::vector<NodeId>& of_value) const {
  std::int64_t index = 0;
  with_integer(format_, column, at,
               [&](auto integer) { index = static_cast<std::int64_t>(integer); });
  NodeId& found = of_value.at(static_cast<std::size_t>(index));
  if (found >= 0) return found;
  const ArrowArray& values = *column.dictionary;
  if (!is_valid(values, index)) throw_missing(number);
  return found = code(values_, values, index, number);
}

void IdColumn::throw_missing(std::int64_t number) const {
  throw DataError(kTablePlace, number, fmt::format("column {} has no id", quote(name_)));
}

}  // namespace tern::python
