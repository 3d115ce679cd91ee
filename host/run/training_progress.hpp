#pragma once

#include <map>
#include <string>
#include <string_view>

#include "tern/trainer.hpp"

namespace tern {

/// Writes every field as text that comes back bit for bit, under the field's name.
void write_progress(const TrainingProgress& progress, std::map<std::string, std::string>& metadata);

/// Reads them again. Throws DataError with this file where one is missing, is no number, or does
/// not fit the others.
TrainingProgress read_progress(const std::map<std::string, std::string>& metadata,
                               std::string_view file);

/// One whole number of the metadata; likewise.
std::int64_t read_count(const std::map<std::string, std::string>& metadata, const std::string& key,
                        std::string_view file);

}  // namespace tern
