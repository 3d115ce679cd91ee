#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "tern/dataset.hpp"
#include "tern/interactions.hpp"

namespace tern {

/// A 64-bit hash of the matrices' sizes, offsets and items, in order. Not keyed: it tells changed
/// data from unchanged, and resists no adversary. The same on every machine and thread count.
std::uint64_t fingerprint(std::span<const Interactions* const> splits);
/// The same of features' names and values, likewise; 0 where there are none on either side.
std::uint64_t feature_fingerprint(const std::optional<Features>& users,
                                  const std::optional<Features>& items);

}  // namespace tern
