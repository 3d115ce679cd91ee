#pragma once

#include <cstdint>

#include "tern/random.hpp"
#include "tern/sampling.hpp"
#include "tern/view.hpp"

namespace tern::cuda {

/// The drawing of triplets [first, first + count) of an epoch; all pointers on the device.
struct SampleTask {
  CsrView csr;  // of R
  const NodeId* participants = nullptr;
  std::int64_t num_participants = 0;
  /// Where the interactions of each participant begin, put end to end.
  const EdgeOffset* participant_offsets = nullptr;
  const std::uint32_t* alias_threshold = nullptr;  // only for popularity sampling
  const NodeId* alias = nullptr;
  SamplingOptions options;
  std::uint32_t epoch = 0;
  Permutation permutation;  // of the participants' interactions in this epoch
  std::int64_t first = 0;
  std::int64_t count = 0;
  Triplet* triplets = nullptr;
};

/// Where an epoch's triplets come from; in device memory, so that a recorded step follows the
/// epoch.
struct TripletSource {
  SampleTask sample;
  const Triplet* given = nullptr;  // the caller's triplets for the whole epoch; null: draw them
};

}  // namespace tern::cuda
