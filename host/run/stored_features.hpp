#pragma once

#include <filesystem>

#include "tern/dataset.hpp"

namespace tern {

/// Writes the features of both sides that are there, bit for bit. Columns of 0 and 1, which are most
/// columns of categories, take four bytes for each 1. Throws Error.
void write_stored_features(const std::filesystem::path& file, const Dataset& data);

/// Whether the file is there and holds features of this side: by its header alone. Throws DataError.
bool holds_stored_features(const std::filesystem::path& file, Side side);

/// Reads the features into the data, which has its names. Throws DataError.
void read_stored_features(const std::filesystem::path& file, Dataset& data);

}  // namespace tern
