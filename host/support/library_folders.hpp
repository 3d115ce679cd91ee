#pragma once

#include <filesystem>
#include <vector>

namespace tern {

/// Folders that CUDA's libraries may be in, other than those of the system's library path. In this order,
/// and only if they exist:
///
///   lib64 of CUDA_HOME and CUDA_PATH (environment), and of /usr/local/cuda
///   lib/python3*/{site,dist}-packages/nvidia/*/lib, where NVIDIA's Python wheels put them, of: the prefix
///   that the program is installed in, VIRTUAL_ENV, CONDA_PREFIX, the prefix of python3 on PATH,
///   ~/.local, /usr/local, /usr
std::vector<std::filesystem::path> cuda_library_folders();

}  // namespace tern
