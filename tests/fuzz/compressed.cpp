// The reader of plain, gzip and zstd files. Promises: it gives no more bytes than allowed; plain
// bytes are unchanged; a file gives the same bytes under every limit that they fit, and is refused
// under a limit of one byte less.

#include <algorithm>

#include "host/data/compression.hpp"
#include "tests/fuzz/targets.hpp"

namespace tern::fuzz {

void read_compressed(Input input) {
  const unsigned low = input.byte();
  const std::int64_t max_bytes = low + 256 * static_cast<std::int64_t>(input.byte() % 64);
  const std::string_view bytes = input.rest();
  const std::filesystem::path path = scratch_file("bytes", bytes);
  const auto read_as_text = [&](std::int64_t limit) {
    return attempt([&] { return std::string(read_file(path, limit).view()); });
  };
  const auto read = read_as_text(max_bytes);
  if (accepted(read) == nullptr) return;
  const std::string& content = *accepted(read);
  const auto size = static_cast<std::int64_t>(content.size());
  require(size <= max_bytes, "more is read than is allowed");
  if (detect_compression(bytes) == Compression::kNone) {
    require(content == bytes, "plain bytes are changed");
  }
  // The limit holds for the compressed bytes too.
  const auto least = std::max(size, static_cast<std::int64_t>(bytes.size()));
  const auto again = read_as_text(least);
  require(accepted(again) != nullptr && *accepted(again) == content, "it does not fit its size");
  if (least > 0) require(accepted(read_as_text(least - 1)) == nullptr, "a byte too many is read");
}

}  // namespace tern::fuzz
