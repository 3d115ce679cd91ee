#pragma once

#include <cstdint>
#include <span>

#include "tern/interactions.hpp"

namespace tern {

/// A 64-bit hash of the matrices' sizes, offsets and items, in order. Not keyed: it tells changed
/// data from unchanged, and resists no adversary. The same on every machine and thread count.
std::uint64_t fingerprint(std::span<const Interactions* const> splits);

}  // namespace tern
