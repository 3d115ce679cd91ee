#include "host/data/compression.hpp"

#include <fmt/format.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <new>
#include <string_view>
#include <utility>

#include "tern/error.hpp"

namespace tern {
namespace {

using namespace std::string_view_literals;

constexpr std::size_t kFirstOutput = std::size_t{1} << 16;

bool is_zstd(std::string_view bytes) {
  // A frame, or a skippable frame (0x184D2A50 to 0x184D2A5F), which some tools put first.
  return bytes.starts_with("\x28\xB5\x2F\xFD"sv) ||
         (bytes.size() >= 4 && (bytes[0] & 0xF0) == 0x50 && bytes.substr(1, 3) == "\x2A\x4D\x18"sv);
}

/// The name of a binary format that is not read, and what to do; empty if it is none of those known.
std::string_view describe_unknown(std::string_view bytes) {
  // bzip2: "BZh", a level, and a block's magic number. "BZh" alone could begin an id.
  if (bytes.size() >= 10 && bytes.starts_with("BZh"sv) && bytes.substr(4, 6) == "1AY&SY"sv) {
    return "bzip2 data (bunzip2)";
  }
  constexpr std::pair<std::string_view, std::string_view> kFormats[] = {
      {"\xFD\x37zXZ\0"sv, "xz data (unxz)"},
      {"PK\x03\x04"sv, "a zip archive or an Excel file (unzip, or save as CSV)"},
      {"\x04\x22\x4D\x18"sv, "lz4 data (unlz4)"},
      {"\x37\x7A\xBC\xAF\x27\x1C"sv, "a 7z archive (7z x)"},
      {"PAR1\x15"sv, "a Parquet file (pandas.read_parquet and to_csv)"},
      {"\x93NUMPY"sv, "a NumPy array (numpy.savetxt)"},
      {"\x89HDF\r\n"sv, "an HDF5 file (pandas.read_hdf and to_csv)"},
      {"SQLite format 3\0"sv, "an SQLite database (sqlite3 -csv)"}};
  for (const auto& [magic, name] : kFormats) {
    if (bytes.starts_with(magic)) return name;
  }
  return {};
}

/// Doubles the capacity of a full output.
void make_room(ByteBuffer& output, ByteLimit& limit) {
  limit.check(output.size(), "the decompressed file");
  if (output.size() == output.capacity()) {
    output.reserve(limit.room(std::max(output.capacity() * 2, kFirstOutput)));
  }
}

[[noreturn]] void throw_cut_short(const std::string& file, std::string_view format) {
  throw DataError(file, 0,
                  fmt::format("the {} data is cut short: it ends inside a {}", format,
                              format == "gzip" ? "member" : "frame"));
}

uInt zlib_size(std::size_t size) {
  return static_cast<uInt>(std::min<std::size_t>(size, std::numeric_limits<uInt>::max()));
}

struct EndInflate {
  void operator()(z_stream* stream) const noexcept { inflateEnd(stream); }
};

ByteBuffer decompress_gzip(std::string_view bytes, ByteLimit& limit, const std::string& file) {
  z_stream stream{};
  constexpr int kGzipOnly = 16;  // added to the window's bits: see inflateInit2 in zlib.h
  if (inflateInit2(&stream, MAX_WBITS + kGzipOnly) != Z_OK) throw std::bad_alloc();
  const std::unique_ptr<z_stream, EndInflate> end(&stream);

  ByteBuffer output;
  while (true) {
    make_room(output, limit);
    // zlib does not write to its input, although its interface lacks const.
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    stream.avail_in = zlib_size(bytes.size());
    stream.next_out = reinterpret_cast<Bytef*>(output.end());
    const uInt room = zlib_size(output.capacity() - output.size());
    stream.avail_out = room;
    const uInt given = stream.avail_in;
    const int status = inflate(&stream, Z_NO_FLUSH);
    output.extend(room - stream.avail_out);
    bytes.remove_prefix(given - stream.avail_in);
    if (status == Z_STREAM_END) {
      // Trailing zeros are the padding of tapes, which gzip ignores too.
      if (bytes.find_first_not_of('\0') == std::string_view::npos) break;
      if (detect_compression(bytes) != Compression::kGzip) {
        throw DataError(
            file, 0, fmt::format("{} bytes that are not gzip follow the gzip data", bytes.size()));
      }
      inflateReset(&stream);
    } else if (status == Z_MEM_ERROR) {
      throw std::bad_alloc();
    } else if (status != Z_OK && status != Z_BUF_ERROR) {
      throw DataError(file, 0,
                      fmt::format("the gzip data is damaged ({})",
                                  stream.msg != nullptr ? stream.msg : zError(status)));
    } else if (bytes.empty() && stream.avail_out > 0) {
      throw_cut_short(file, "gzip");
    }
  }
  make_room(output, limit);
  return output;
}

struct FreeContext {
  void operator()(ZSTD_DCtx* context) const noexcept { ZSTD_freeDCtx(context); }
};

ByteBuffer decompress_zstd(std::string_view bytes, ByteLimit& limit, const std::string& file) {
  const std::unique_ptr<ZSTD_DCtx, FreeContext> context(ZSTD_createDCtx());
  if (context == nullptr) throw std::bad_alloc();
  ByteBuffer output;
  ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
  while (true) {
    make_room(output, limit);
    ZSTD_outBuffer out{output.end(), output.capacity() - output.size(), 0};
    const std::size_t left = ZSTD_decompressStream(context.get(), &out, &in);
    output.extend(out.pos);
    if (ZSTD_getErrorCode(left) == ZSTD_error_memory_allocation) throw std::bad_alloc();
    if (ZSTD_isError(left) != 0) {
      throw DataError(file, 0,
                      fmt::format("the zstd data is damaged ({})", ZSTD_getErrorName(left)));
    }
    if (in.pos == in.size) {
      if (left == 0) break;
      if (out.pos < out.size) throw_cut_short(file, "zstd");
    }
  }
  make_room(output, limit);
  return output;
}

}  // namespace

Compression detect_compression(std::string_view bytes) {
  if (bytes.starts_with("\x1F\x8B"sv)) return Compression::kGzip;
  if (is_zstd(bytes)) return Compression::kZstd;
  return describe_unknown(bytes).empty() ? Compression::kNone : Compression::kUnknown;
}

ByteBuffer decompress(Compression compression, std::string_view bytes, ByteLimit& limit,
                      const std::string& file) {
  return compression == Compression::kGzip ? decompress_gzip(bytes, limit, file)
                                           : decompress_zstd(bytes, limit, file);
}

ByteBuffer read_file(const std::filesystem::path& path, std::int64_t max_bytes) {
  const bool standard_input = path == "-";
  const std::string file = standard_input ? "standard input" : path.string();
  ByteLimit limit(file, max_bytes, "the most that data.max_bytes allows");
  ByteBuffer bytes =
      standard_input ? read_standard_input(file, limit) : read_whole_file(file, limit);
  switch (const Compression compression = detect_compression(bytes.view())) {
    case Compression::kNone:
      return bytes;
    case Compression::kUnknown:
      throw DataError(file, 0,
                      fmt::format("found {}, expected plain text, gzip or zstd",
                                  describe_unknown(bytes.view())));
    case Compression::kGzip:
    case Compression::kZstd:
      return decompress(compression, bytes.view(), limit, file);
  }
  return bytes;
}

}  // namespace tern
