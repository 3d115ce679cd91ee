#include "tern/version.hpp"

#include <fmt/format.h>

namespace tern {

std::string_view version() {
  return TERN_VERSION;
}

std::string_view build_type() {
  return TERN_BUILD_TYPE;
}

std::string_view compiler() {
#if defined(__clang__)
  return "Clang " __clang_version__;
#else
  return "GCC " __VERSION__;
#endif
}

std::string build_description() {
  return fmt::format("{} ({}, {})", version(), build_type(), compiler());
}

}  // namespace tern
