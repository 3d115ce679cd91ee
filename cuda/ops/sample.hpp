#pragma once

#include <cstdint>

#include "tern/random.hpp"
#include "tern/sampling.hpp"
#include "tern/view.hpp"

namespace tern::cuda {

struct Queue;

/// The drawing of triplets [first, first + count) of an epoch; all pointers on the device.
struct SampleTask {
  CsrView csr;  // of R
  const NodeId* participants = nullptr;
  std::int64_t num_participants = 0;
  const EdgeOffset* participant_offsets = nullptr;  // of their interactions, put end to end
  const std::uint32_t* alias_threshold = nullptr;   // only for popularity sampling
  const NodeId* alias = nullptr;
  SamplingOptions options;
  std::uint32_t epoch = 0;
  Permutation permutation;  // of the participants' interactions in this epoch
  std::int64_t first = 0;
  std::int64_t count = 0;
  Triplet* triplets = nullptr;
};

/// Triplet first + i of the epoch, see Backend::sample. Exact integers.
void launch_sample(const Queue& queue, const SampleTask& task);

}  // namespace tern::cuda
