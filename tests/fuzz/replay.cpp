// Runs a fuzz target over files, without a fuzzer. Test runs do this with the seeds, and with every
// input that once broke a target.

#include <algorithm>
#include <cstdio>
#include <exception>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "tests/fuzz/target.hpp"

namespace {

namespace fs = std::filesystem;

/// The file at a path, or all files in the folder. Throws if a folder is empty, because a test that
/// reads nothing cannot fail.
std::vector<fs::path> files_at(const fs::path& path) {
  if (!fs::is_directory(path)) return {path};
  std::vector<fs::path> files;
  for (const fs::directory_entry& entry : fs::directory_iterator(path)) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
  if (files.empty()) throw tern::Error(path.string() + ": the folder has no files");
  std::sort(files.begin(), files.end());
  return files;
}

std::string read_bytes(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw tern::Error(path.string() + ": cannot be read");
  return {std::istreambuf_iterator<char>(file), {}};
}

/// The number of inputs on which the target broke.
int replay(const tern::fuzz::Target& target, const std::vector<fs::path>& files) {
  int broken = 0;
  for (const fs::path& file : files) {
    const std::string bytes = read_bytes(file);
    try {
      target.run(tern::fuzz::Input(bytes));
    } catch (const std::exception& error) {
      std::fprintf(stderr, "%s: %s\n", file.c_str(), error.what());
      ++broken;
    }
  }
  return broken;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: tern_fuzz_replay TARGET (FILE | FOLDER)...\ntargets:");
    for (const tern::fuzz::Target& target : tern::fuzz::targets()) {
      std::fprintf(stderr, " %s", std::string(target.name).c_str());
    }
    std::fprintf(stderr, "\n");
    return 2;
  }
  try {
    std::vector<fs::path> files;
    for (int i = 2; i < argc; ++i) {
      const std::vector<fs::path> more = files_at(argv[i]);
      files.insert(files.end(), more.begin(), more.end());
    }
    const int broken = replay(tern::fuzz::find_target(argv[1]), files);
    std::printf("%s: %zu inputs, %d broken\n", argv[1], files.size(), broken);
    return broken == 0 ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
