#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "tern/dataset.hpp"
#include "tern/interactions.hpp"

namespace tern {

/// A hash of the matrices' sizes, offsets and items, in order; see host/support/hash.hpp.
std::uint64_t fingerprint(std::span<const Interactions* const> splits);
/// A hash of the features' names and values; 0 if neither side has features.
std::uint64_t feature_fingerprint(const std::optional<Features>& users,
                                  const std::optional<Features>& items);

}  // namespace tern
