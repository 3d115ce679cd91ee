#pragma once

#include <cstdint>

#include "host/cpu/dense_state.hpp"
#include "tern/dense_layer.hpp"

namespace tern::cpu {

// Mean and Σ (a - mean)² of the columns of a, in f64 from blocks in f32. A block squares deviations
// from its own mean, which are small and exact; blocks and then stretches are merged in order.
// Source: Chan, Golub and LeVeque 1983, eq. 2.1 and the corrected two-pass algorithm.

/// Merges a block into the statistics of its stretch. block: (rows, stride), in the cache.
void add_block(DenseStateStorage& state, std::int64_t s, std::int64_t begin, std::int64_t rows,
               const float* block, const DenseWorkspace& work);

/// Computes state.norm, which normalises the batch; updates the running mean and variance.
void finish_statistics(const BatchNorm& norm, DenseStateStorage& state);

/// Computes state.norm from the running mean and variance, which stay unchanged.
void take_running_statistics(const BatchNorm& norm, DenseStateStorage& state);

}  // namespace tern::cpu
