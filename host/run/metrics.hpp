#pragma once

#include <filesystem>

#include "tern/trainer.hpp"

namespace tern {

/// Appends the record of an epoch to metrics.jsonl, as one line, whole or not at all. Run::append()
/// describes the keys.
void append_metrics(const std::filesystem::path& file, const EpochRecord& record);

/// Removes the lines of later epochs, and everything from the first damaged line on.
void truncate_metrics(const std::filesystem::path& file, int epoch);

/// Waits until all lines are on disk. Throws Error with the system's reason.
void sync_metrics(const std::filesystem::path& file);

}  // namespace tern
