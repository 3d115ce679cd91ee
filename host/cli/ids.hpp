#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tern/vocabulary.hpp"

namespace tern::cli {

/// The id of a user or item (kind says which) by its name. Throws ConfigError naming the nearest
/// known ones.
NodeId find_id(const Vocabulary& names, std::string_view name, std::string_view kind);

/// The same for each line of a file ("-": standard input); empty lines are skipped. Throws
/// DataError with file and line.
std::vector<NodeId> read_ids(const std::string& path, const Vocabulary& names,
                             std::string_view kind);

/// A JSON string; what is not UTF-8 in it becomes U+FFFD.
std::string json_string(const std::string& text);

}  // namespace tern::cli
