#pragma once

#include <string_view>

namespace tern {

/// The least number of insertions, deletions and substitutions of bytes that make `b` of `a`. Both
/// are cut after 64 bytes. A distance above `limit` may come out as any number above it, which
/// saves most of the work.
int edit_distance(std::string_view a, std::string_view b, int limit = 64);

}  // namespace tern
