#pragma once

#include <filesystem>
#include <string_view>
#include <vector>

namespace tern {

/// Whether this path exists. A broken symbolic link exists too.
bool is_there(const std::filesystem::path& path);

/// The entries of a directory; none if it does not exist. Other processes may remove files meanwhile.
std::vector<std::filesystem::path> list_directory(const std::filesystem::path& directory);

/// Appends these bytes to a file, whole or not at all; makes it if there is none. Throws Error with the
/// system's reason.
void append_to_file(const std::filesystem::path& file, std::string_view bytes);

/// Removes a file, if there is one. Throws Error with the system's reason.
void remove_file(const std::filesystem::path& file);
/// The same without errors: if removal fails, the file stays.
void remove_quietly(const std::filesystem::path& file);

}  // namespace tern
