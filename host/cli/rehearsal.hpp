#pragma once

#include <memory>
#include <string>

#include "host/cli/console.hpp"
#include "host/cli/ranks.hpp"
#include "tern/backend.hpp"
#include "tern/config.hpp"
#include "tern/dataset.hpp"
#include "tern/memory.hpp"
#include "tern/trainer.hpp"

namespace tern::cli {

// What a process of a training job does before it trains: alone, as the leader of several ranks or as one
// that follows.

/// The backend of this process. Several ranks get the backend that shares out columns.
std::unique_ptr<Backend> open_training_backend(const Config& config, int threads, Console& console,
                                               Ranks& ranks);

/// The need of this process. Of several ranks, each has its share of the columns.
MemoryEstimate training_memory(const Backend& backend, const Dataset& data, const Config& config,
                               const Ranks& ranks);

/// Throws Error if the job does not fit into the memory of this host, which its ranks have in common, or of
/// its device. All ranks call it before any of them allocates what it keeps.
void expect_memory(const MemoryEstimate& memory, const Backend& backend, Ranks& ranks);

/// Allocates everything that the job keeps. Throws Error if memory or disk space is short. out: the
/// directory to write to; null on a rank that writes nothing.
std::unique_ptr<Trainer> rehearsed_trainer(Backend& backend, const Dataset& data,
                                           const Config& config, const std::string* out,
                                           const MemoryEstimate& memory);

}  // namespace tern::cli
