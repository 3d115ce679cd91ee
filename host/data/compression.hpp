#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "host/data/file_bytes.hpp"

namespace tern {

enum class Compression { kNone, kGzip, kZstd, kUnknown };

/// The format, by the first bytes. kUnknown: one that is recognised but not read (xz, bzip2, zip,
/// lz4).
Compression detect_compression(std::string_view bytes);

/// Decompresses all members or frames. file is the name in errors. Throws DataError if the data is
/// cut short or damaged, or would grow beyond the limit.
ByteBuffer decompress(Compression compression, std::string_view bytes, ByteLimit& limit,
                      const std::string& file);

}  // namespace tern
