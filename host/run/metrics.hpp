#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "tern/trainer.hpp"

namespace tern {

/// The record of an epoch as a line of metrics.jsonl. Run::append() describes the keys.
std::string metrics_line(const EpochRecord& record);

/// The lines of metrics.jsonl up to the first damaged one, without their ends; none if there is no file.
std::vector<std::string> read_metrics(const std::filesystem::path& file);

/// Removes the lines of later epochs, and everything from the first damaged line on.
void truncate_metrics(const std::filesystem::path& file, int epoch);

/// Waits until all lines are on disk. Throws Error with the system's reason.
void sync_metrics(const std::filesystem::path& file);

}  // namespace tern
