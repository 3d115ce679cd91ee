#pragma once

#include <cstdint>
#include <filesystem>

#include "tern/dataset.hpp"
#include "tern/types.hpp"
#include "tern/vocabulary.hpp"

namespace tern {

// A run's own copy of its data. Beside the names in users.tsv and items.tsv, these are
//
//   interactions.safetensors   the CSR of each split: train.offsets (U + 1), train.items, ...
//   features.safetensors       only for a model that reads features. For each side: users.numbers,
//                              (nodes, columns); and columns of 0 and 1 as a CSR of their ones,
//                              users.ones.offsets (nodes + 1), users.ones.columns
//
// Metadata of the first: data_fingerprint and feature_fingerprint as in Dataset, which detect every
// change of a value, and hashes of both files of names.

inline constexpr char kUsersFile[] = "users.tsv";
inline constexpr char kItemsFile[] = "items.tsv";
inline constexpr char kInteractionsFile[] = "interactions.safetensors";
inline constexpr char kFeaturesFile[] = "features.safetensors";

enum class StoredFeatures : std::uint8_t { kNo, kYes };

/// Writes both files; the files of names must be in the folder. Throws Error.
void write_stored_data(const std::filesystem::path& run, const Dataset& data,
                       StoredFeatures features);

/// The names of one side. Throws DataError if they have changed since the run was made; that is not
/// checked in a run without interactions.safetensors.
Vocabulary read_stored_names(const std::filesystem::path& run, Side side);

/// Names and interactions; features only if they are wanted and were written. The notes are empty.
/// Throws DataError, naming the file, if something is missing or has changed.
Dataset read_stored_data(const std::filesystem::path& run, StoredFeatures features);

}  // namespace tern
