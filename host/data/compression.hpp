#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "host/data/file_bytes.hpp"

namespace tern {

enum class Compression { kNone, kGzip, kZstd, kUnknown };

/// By the first bytes. kUnknown: a format that is known, and not read (xz, bzip2, zip, lz4).
Compression detect_compression(std::string_view bytes);

/// Decompresses all members or frames. file names it in errors. Throws DataError when the data is
/// cut short or damaged, or would grow beyond the limit.
ByteBuffer decompress(Compression compression, std::string_view bytes, ByteLimit& limit,
                      const std::string& file);

}  // namespace tern
