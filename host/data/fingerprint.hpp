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

/// The fingerprint of a data set's splits, which is computed if a set that was made by hand has none.
std::uint64_t fingerprint_of(const Dataset& data);
/// The same for its features.
std::uint64_t feature_fingerprint_of(const Dataset& data);
/// The fingerprint of a job: of the interactions and, if the job reads them, of the features.
std::uint64_t job_fingerprint(const Dataset& data, FeatureFiles features);

}  // namespace tern
