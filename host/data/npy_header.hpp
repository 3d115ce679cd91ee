#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tern {

/// The header of an .npy file.
struct NpyHeader {
  std::string descr;  // the type of the elements, such as "<f4"
  bool fortran_order = false;
  std::vector<std::int64_t> shape;
};

/// Reads the few forms of Python literals that a header can have. Throws DataError.
NpyHeader parse_npy_header(std::string_view text, const std::string& file);

}  // namespace tern
