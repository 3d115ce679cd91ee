#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "host/python/arrow.hpp"
#include "tern/types.hpp"
#include "tern/vocabulary.hpp"

namespace tern::python {

/// A column of ids, integers or text, also as a dictionary.
class IdColumn {
 public:
  /// Throws DataError if it is missing or of another type. Unknown ids are added to the names.
  IdColumn(const ArrowSchema& schema, const std::string& name, Vocabulary& names);

  /// Appends the codes of a chunk's rows. Throws DataError on a missing id, and on one that breaks the rules.
  void read(const ArrowArray& chunk, std::int64_t rows_before, std::vector<NodeId>& codes) const;

 private:
  NodeId code(std::string_view format, const ArrowArray& array, std::int64_t at,
              std::int64_t number) const;
  NodeId code_of_value(const ArrowArray& column, std::int64_t at, std::int64_t number,
                       std::vector<NodeId>& of_value) const;
  [[noreturn]] void throw_missing(std::int64_t number) const;

  std::string name_;
  std::int64_t place_;
  Vocabulary& names_;
  std::string format_;
  std::string values_;  // the format of a dictionary's values; empty without one
};

}  // namespace tern::python
