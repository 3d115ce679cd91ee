#pragma once

#include <string>
#include <string_view>

namespace tern::python {

/// The name of a type by its code in Arrow's C data interface, as Arrow and polars write it: "float64" for "g",
/// "timestamp[us]" for "tsu:". A code that is not in the table stays as it is.
/// Source: https://arrow.apache.org/docs/format/CDataInterface.html#data-type-description-format-strings.
std::string arrow_type_name(std::string_view format);

}  // namespace tern::python
