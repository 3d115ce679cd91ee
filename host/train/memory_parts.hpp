#pragma once

#include <cstdint>

#include "tern/feature_encoding.hpp"
#include "tern/memory.hpp"

// Sizes of single objects, of which memory.cpp makes the formula.

namespace tern {

using Bytes = std::int64_t;
inline constexpr Bytes kMiB = Bytes{1} << 20;

constexpr Bytes round_up(Bytes bytes, Bytes unit) {
  return (bytes + unit - 1) / unit * unit;
}

/// A matrix as the backend stores it: rows padded to whole vectors, and on a CPU large matrices on
/// huge pages.
Bytes matrix_bytes(MemoryTarget::Kind kind, std::int64_t rows, std::int64_t cols);
/// A graph of these interactions on any backend: columns in both directions, offsets, scales.
Bytes graph_bytes(const Interactions& interactions);

Bytes data_bytes(const Dataset& data);
Bytes encoded_bytes(const EncodedFeatures& features);
/// The tables of drawing, a batch with its rows, and the triplets that a backend keeps beyond it.
Bytes triplet_bytes(const MemoryTarget& target, const Interactions& train, const Config& config);
/// Room for ranking a block of users, and for the statistics of an embedding table.
Bytes evaluation_bytes(MemoryTarget::Kind kind, const Interactions& train, const Config& config,
                       int threads);
/// The program, its libraries, and its threads.
Bytes process_bytes(int threads);

}  // namespace tern
