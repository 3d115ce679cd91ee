#pragma once

#include "host/config/batch.hpp"
#include "tern/config.hpp"
#include "tern/sampling.hpp"

namespace tern {

/// How a job draws its triplets: with the job's seed, and without negatives if its loss reads none.
inline SamplingOptions sampling_of(const Config& config) {
  SamplingOptions sampling = config.sampling;
  sampling.seed = config.seed;
  if (!draws_negatives(config.loss)) sampling.negatives_per_positive = 0;
  return sampling;
}

}  // namespace tern
