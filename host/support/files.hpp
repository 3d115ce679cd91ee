#pragma once

#include <filesystem>
#include <vector>

namespace tern {

/// Whether this path exists. A broken symbolic link exists too.
bool is_there(const std::filesystem::path& path);

/// The entries of a directory; none if it does not exist. Other processes may remove files meanwhile.
std::vector<std::filesystem::path> list_directory(const std::filesystem::path& directory);

/// Removes a file, if there is one. Throws Error with the system's reason.
void remove_file(const std::filesystem::path& file);
/// The same without errors: if removal fails, the file stays.
void remove_quietly(const std::filesystem::path& file);

}  // namespace tern
