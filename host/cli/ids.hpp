#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tern/vocabulary.hpp"

namespace tern::cli {

/// The number of the user or item with this name. kind, "user" or "item", is for messages. Throws
/// ConfigError with the most similar names.
NodeId find_id(const Vocabulary& names, std::string_view name, std::string_view kind);

/// The same for each line of a file ("-": standard input); empty lines are skipped. Throws
/// DataError with file and line.
std::vector<NodeId> read_ids(const std::string& path, const Vocabulary& names,
                             std::string_view kind);

}  // namespace tern::cli
