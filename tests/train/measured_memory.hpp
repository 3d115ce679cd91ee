#pragma once

#include <gmock/gmock.h>
#include <malloc.h>

#include <cstdint>
#include <string>

#include "tern/memory.hpp"
#include "tern/trainer.hpp"
#include "tests/train/planted.hpp"

namespace tern::test {

// What tests of the memory formula share.

inline Config measured_config(ModelKind kind) {
  Config config = planted_config(kind);
  config.model.width = 48;
  config.batch_size = 2048;
  config.epochs = 1;
  config.threads = 1;
  return config;
}

inline std::int64_t part(const MemoryEstimate& estimate, const std::string& name,
                         std::int64_t MemoryPart::*where = &MemoryPart::host) {
  std::int64_t sum = 0;
  for (const MemoryPart& of : estimate.parts) sum += of.name == name ? of.*where : 0;
  return sum;
}

/// Bytes in use by this process's allocator.
inline std::int64_t allocated() {
  const struct mallinfo2 info = mallinfo2();
  return static_cast<std::int64_t>(info.uordblks + info.hblkhd);
}

/// Bytes that a job holds after its epochs, while a checkpoint is in memory: the peak, except for memory
/// that an evaluation frees again.
inline std::int64_t allocated_by_job(Backend& backend, const Dataset& data, const Config& config) {
  const std::int64_t before = allocated();
  Trainer trainer(backend, data, config);
  trainer.run();
  const TrainingState checkpoint = trainer.state();
  return allocated() - before;
}

/// From the counted bytes to 25% above, plus `slack` bytes for constant parts.
inline testing::Matcher<std::int64_t> little_above(std::int64_t counted, std::int64_t slack = 0) {
  return testing::AllOf(testing::Ge(counted), testing::Le(counted + counted / 4 + slack));
}

}  // namespace tern::test
