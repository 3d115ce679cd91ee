#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "tern/dataset.hpp"

namespace tern {

/// Writes the splits of a data set as files that load_dataset(to) reads as a given split with the
/// same interactions in each part: train, valid and test (only those with interactions), as adjacency
/// lists if the ids are the node numbers, which keeps these numbers and so the fingerprint; else as
/// tables (.tsv), whose nodes are numbered anew. Feature files beside the data are copied; their rows
/// belong to ids. from: the path that the data was loaded from.
///
/// The directory must exist and be empty. The files are read again and compared with the data. Throws
/// Error if they differ or cannot be written, ConfigError if nothing is held out. If anything is thrown,
/// the files that were written are removed. Returns the names of the files, in order.
std::vector<std::string> write_split(const std::filesystem::path& from, const Dataset& data,
                                     const std::filesystem::path& to);

}  // namespace tern
