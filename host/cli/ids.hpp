#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "host/cli/console.hpp"
#include "tern/vocabulary.hpp"

namespace tern::cli {

/// The user or item with this name, or with the name without blanks around it.
std::optional<NodeId> find_id(const Vocabulary& names, std::string_view name);

/// The users or items with these names, in their order. Unknown names are left out; the console
/// names the first of them and how many there are. option, "--user", and kind, "user" or "item", are
/// for messages. Throws DataError with the most similar names if there are names but none is known.
std::vector<NodeId> find_ids(const std::vector<std::string>& wanted, const Vocabulary& names,
                             std::string_view option, std::string_view kind, Console& console);

/// The same for each line of a file ("-": standard input), plain, gzip or zstd; blank lines are
/// skipped. Throws DataError with file and line, and if there are no others.
std::vector<NodeId> read_ids(const std::string& path, const Vocabulary& names,
                             std::string_view kind, Console& console);

}  // namespace tern::cli
