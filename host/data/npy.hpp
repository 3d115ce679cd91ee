#pragma once

#include <string>
#include <string_view>

#include "tern/tensor_file.hpp"

namespace tern {

/// The array in the bytes of an .npy file, as read_npy reads it. file: the name in errors.
Tensor read_npy_bytes(std::string_view bytes, const std::string& file);

}  // namespace tern
