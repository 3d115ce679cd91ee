#pragma once

#include <string>
#include <string_view>

#include "host/data/table.hpp"

namespace tern {

/// The id that a field of a row holds: text, or what scratch then holds. Throws TextError, with the
/// kind of id, where it is empty, of more than 65,535 bytes, or has a tab or a line end (which a
/// comma-separated field can hold, and a vocabulary cannot).
std::string_view id_value(std::string_view kind, const Field& field, const char* row,
                          std::string& scratch);

}  // namespace tern
