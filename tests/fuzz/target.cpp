#include "tests/fuzz/target.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "host/support/unique_fd.hpp"
#include "host/support/utf8.hpp"

namespace tern::fuzz {
namespace {

class ScratchDirectory {
 public:
  ScratchDirectory() {
    std::error_code ignored;
    const std::filesystem::path memory = "/dev/shm";
    const bool in_memory = std::getenv("TMPDIR") == nullptr && ::access(memory.c_str(), W_OK) == 0;
    std::string name =
        ((in_memory ? memory : std::filesystem::temp_directory_path(ignored)) / "tern-fuzz-XXXXXX")
            .string();
    if (::mkdtemp(name.data()) == nullptr) throw Error("no room for temporary files");
    path_ = name;
  }
  ~ScratchDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace

void require_one_line(std::string_view text) {
  constexpr std::size_t kMaxBytes = 4000;
  require(!text.empty() && text.size() <= kMaxBytes,
          "a message has " + std::to_string(text.size()) + " bytes");
  const bool printable = std::none_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
  });
  require(printable, "a message has control characters");
  require(is_utf8(text), "a message is not UTF-8");
}

const std::filesystem::path& scratch_directory() {
  static const ScratchDirectory directory;
  return directory.path();
}

std::filesystem::path scratch_file(const std::string& name, std::string_view bytes) {
  std::filesystem::path path = scratch_directory() / name;
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  const bool written = file.valid() && ::write(file.get(), bytes.data(), bytes.size()) ==
                                           static_cast<ssize_t>(bytes.size());
  if (!written) throw Error("a temporary file cannot be written");
  return path;
}

}  // namespace tern::fuzz
