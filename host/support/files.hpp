#pragma once

#include <filesystem>
#include <vector>

namespace tern {

/// Whether something has this name; a symbolic link counts, wherever it points.
bool is_there(const std::filesystem::path& path);

/// What is in a directory; nothing where there is no such directory. Only what was there when it
/// was asked for: files may be removed meanwhile.
std::vector<std::filesystem::path> list_directory(const std::filesystem::path& directory);

/// Removes a file, where there is one. Throws Error with the system's reason.
void remove_file(const std::filesystem::path& file);
/// The same of what is only in the way: where that cannot be, it stays.
void remove_quietly(const std::filesystem::path& file);

}  // namespace tern
