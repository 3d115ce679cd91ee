#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tern/config.hpp"
#include "tern/types.hpp"

namespace tern {

/// The score that is printed for two final embeddings: their dot product, or their cosine, summed in
/// f64 in the order of the columns and rounded to f32. It depends on the two rows alone: neither on
/// the device, nor on how many queries are ranked at a time, as the sums of a matrix product may.
float printed_score(ScoreKind kind, std::span<const float> user, std::span<const float> item);

/// Row `node` of a row-major table.
std::span<const float> row_of(std::span<const float> table, std::int64_t width, NodeId node);

}  // namespace tern
