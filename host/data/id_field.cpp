#include "host/data/id_field.hpp"
#include "host/support/message.hpp"

#include <fmt/format.h>

namespace tern {

std::string_view id_value(std::string_view kind, const Field& field, const char* row,
                          std::string& scratch) {
  constexpr std::size_t kMaxIdBytes = 65'535;
  const std::string_view id = field.value(scratch);
  if (id.empty()) {
    throw TextError{row, fmt::format("The {} id is empty, expected at least one byte.", kind)};
  }
  if (id.size() > kMaxIdBytes) {
    throw TextError{row, fmt::format("The {} id {} is too long, expected at most {} bytes.", kind,
                                     quote(id), kMaxIdBytes)};
  }
  if (id.find_first_of("\t\n") != std::string_view::npos) {
    throw TextError{
        row, fmt::format("The {} id {} has a tab or a line end, expected none.", kind, quote(id))};
  }
  return id;
}

}  // namespace tern
