#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "tern/dataset.hpp"

namespace tern {

/// Writes the splits of a data set as files that load_dataset(to) reads as a given split with the
/// same interactions in each part: train, valid and test (only those with interactions), as adjacency
/// lists if the ids are the node numbers, which keeps these numbers and so the fingerprint; else as
/// tables (.tsv), whose nodes are numbered anew. Feature files of `from`, the path that the data was
/// loaded from, are copied if their rows are keyed by id or the numbers stay; notes name the others.
///
/// The directory must exist and be empty. What was written is read and compared. Throws Error if that
/// fails or if the files cannot be written, ConfigError if nothing is held out; files that were written
/// are then removed. Returns the names of the files, in order.
std::vector<std::string> write_split(const std::filesystem::path& from, const Dataset& data,
                                     const std::filesystem::path& to,
                                     std::vector<std::string>& notes);

}  // namespace tern
