#pragma once

#include <cstdint>

#include "cuda/support/triplet_source.hpp"

namespace tern::cuda {

struct Queue;

/// triplets[i] = triplet first + i of the epoch, see sample.cu.
void launch_sample(const Queue& queue, const SampleTask& task);

struct TripletsStorage;

/// The drawing of triplets [first, first + count) of the current epoch.
SampleTask sample_task(const TripletsStorage& state, std::int64_t first, std::int64_t count,
                       Triplet* to);

}  // namespace tern::cuda
