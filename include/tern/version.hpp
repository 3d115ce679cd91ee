#pragma once

#include <string>
#include <string_view>

namespace tern {

/// "0.2.0".
std::string_view version();

/// "Release", and "GCC 12.2.0".
std::string_view build_type();
std::string_view compiler();

/// Version, build type and compiler: "0.2.0 (Release, GCC 12.2.0)".
std::string build_description();

}  // namespace tern
