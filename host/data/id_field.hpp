#pragma once

#include <string>
#include <string_view>

#include "host/data/table.hpp"

namespace tern {

/// The id in a field of a row: a part of the text, or of scratch. Throws TextError, with the kind
/// of id, if the id is empty, longer than 65,535 bytes, or has a tab or a line end (a
/// comma-separated field can hold these, a vocabulary cannot).
std::string_view id_value(std::string_view kind, const Field& field, const char* row,
                          std::string& scratch);

}  // namespace tern
