#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "host/support/byte_stream.hpp"
#include "host/support/file_bytes.hpp"

namespace tern {

enum class Compression { kNone, kGzip, kZstd, kUnknown };

/// The format, by the first bytes. kUnknown: a format that Tern recognises but does not read (xz,
/// bzip2, zip, lz4, 7z, Parquet, HDF5, SQLite, NumPy).
Compression detect_compression(std::string_view bytes);

/// Decompresses all members or frames. file: the name in errors. Throws DataError if the data is cut
/// short or damaged, or would grow beyond the limit.
ByteBuffer decompress(Compression compression, std::string_view bytes, ByteLimit& limit,
                      const std::string& file);

/// The bytes of a data file ("-": standard input), decompressed if it begins like gzip or zstd. max_bytes is
/// data.max_bytes, which limits both the file and its decompressed bytes. This and reading throw DataError if
/// the file cannot be read, is too long, or has another compression, and as decompress() does.
std::unique_ptr<ByteStream> open_file(const std::filesystem::path& path, std::int64_t max_bytes);
/// All of them.
ByteBuffer read_file(const std::filesystem::path& path, std::int64_t max_bytes);

}  // namespace tern
