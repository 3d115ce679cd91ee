#pragma once

#include <filesystem>

#include "tern/backend.hpp"

namespace tern {

/// host_memory() with /proc and /sys under another root, and without the process's own limits.
MemoryInfo system_memory(const std::filesystem::path& root);

}  // namespace tern
