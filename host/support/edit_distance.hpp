#pragma once

#include <string_view>

namespace tern {

/// The least number of insertions, deletions and substitutions of bytes that turn `a` into `b`. Both
/// are cut after 64 bytes. For a distance above `limit`, the result may be any number above it, which
/// saves most of the work.
int edit_distance(std::string_view a, std::string_view b, int limit = 64);

}  // namespace tern
