#include "host/data/compression.hpp"

#include <fmt/format.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <memory>
#include <new>
#include <string_view>
#include <utility>

#include "tern/error.hpp"

namespace tern {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view kReason = "the most that data.max_bytes allows";

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

[[noreturn]] void throw_cut_short(const std::string& file, std::string_view format) {
  throw DataError(file, 0,
                  fmt::format("the {} data is cut short: it ends inside a {}", format,
                              format == "gzip" ? "member" : "frame"));
}

uInt zlib_size(std::size_t size) {
  return static_cast<uInt>(std::min<std::size_t>(size, std::numeric_limits<uInt>::max()));
}

/// The compressed bytes that have been read, but not decompressed.
class Input {
 public:
  explicit Input(std::unique_ptr<ByteStream> stream) : stream_(std::move(stream)) {}

  std::string_view bytes() const { return std::string_view(buffer_).substr(begin_, end_ - begin_); }
  bool at_end() const { return ended_ && begin_ == end_; }
  void drop(std::size_t count) { begin_ += count; }
  /// Reads on until this many bytes are there, or the stream ends.
  void fill(std::size_t count) {
    if (end_ - begin_ >= count) return;
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= std::exchange(begin_, 0);
    while (end_ < count && !ended_) {
      const std::size_t got = stream_->read(buffer_.data() + end_, buffer_.size() - end_);
      end_ += got;
      ended_ = got == 0;
    }
  }

 private:
  static constexpr std::size_t kBytes = std::size_t{1} << 18;
  std::unique_ptr<ByteStream> stream_;
  std::string buffer_ = std::string(kBytes, '\0');
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  bool ended_ = false;
};

/// The bytes of all gzip members.
class GzipStream : public ByteStream {
 public:
  GzipStream(std::unique_ptr<ByteStream> stream, const std::string& file)
      : input_(std::move(stream)), file_(file) {
    constexpr int kGzipOnly = 16;  // added to the window's bits: see inflateInit2 in zlib.h
    if (inflateInit2(&stream_, MAX_WBITS + kGzipOnly) != Z_OK) throw std::bad_alloc();
  }
  ~GzipStream() override { inflateEnd(&stream_); }

  std::size_t read(char* to, std::size_t most) override {
    std::size_t got = 0;
    while (got == 0 && !ended_ && most > 0) {
      input_.fill(1);
      const std::string_view bytes = input_.bytes();
      // zlib does not write to its input, although its interface lacks const.
      stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
      stream_.avail_in = zlib_size(bytes.size());
      stream_.next_out = reinterpret_cast<Bytef*>(to);
      stream_.avail_out = zlib_size(most);
      const int status = inflate(&stream_, Z_NO_FLUSH);
      got = zlib_size(most) - stream_.avail_out;
      input_.drop(zlib_size(bytes.size()) - stream_.avail_in);
      if (status == Z_STREAM_END) {
        begin_member();
      } else if (status == Z_MEM_ERROR) {
        throw std::bad_alloc();
      } else if (status != Z_OK && status != Z_BUF_ERROR) {
        throw DataError(file_, 0,
                        fmt::format("the gzip data is damaged ({})",
                                    stream_.msg != nullptr ? stream_.msg : zError(status)));
      } else if (got == 0 && input_.at_end()) {
        throw_cut_short(file_, "gzip");
      }
    }
    return got;
  }

 private:
  /// Begins the next member, or finds the end.
  void begin_member() {
    input_.fill(2);
    if (detect_compression(input_.bytes()) == Compression::kGzip) {
      inflateReset(&stream_);
      return;
    }
    // Trailing zeros are the padding of tapes, which gzip ignores too.
    std::size_t count = 0;
    bool zeros = true;
    for (; !input_.at_end(); input_.fill(1)) {
      const std::string_view bytes = input_.bytes();
      zeros = zeros && bytes.find_first_not_of('\0') == std::string_view::npos;
      count += bytes.size();
      input_.drop(bytes.size());
    }
    if (!zeros) {
      throw DataError(file_, 0,
                      fmt::format("{} bytes that are not gzip follow the gzip data", count));
    }
    ended_ = true;
  }

  Input input_;
  std::string file_;
  z_stream stream_{};
  bool ended_ = false;
};

struct FreeContext {
  void operator()(ZSTD_DCtx* context) const noexcept { ZSTD_freeDCtx(context); }
};

/// The bytes of all zstd frames.
class ZstdStream : public ByteStream {
 public:
  ZstdStream(std::unique_ptr<ByteStream> stream, const std::string& file)
      : input_(std::move(stream)), file_(file), context_(ZSTD_createDCtx()) {
    if (context_ == nullptr) throw std::bad_alloc();
  }

  std::size_t read(char* to, std::size_t most) override {
    ZSTD_outBuffer out{to, most, 0};
    while (out.pos == 0 && most > 0) {
      input_.fill(1);
      if (input_.at_end() && between_frames_) break;
      ZSTD_inBuffer in{input_.bytes().data(), input_.bytes().size(), 0};
      const std::size_t left = ZSTD_decompressStream(context_.get(), &out, &in);
      input_.drop(in.pos);
      if (ZSTD_getErrorCode(left) == ZSTD_error_memory_allocation) throw std::bad_alloc();
      if (ZSTD_isError(left) != 0) {
        throw DataError(file_, 0,
                        fmt::format("the zstd data is damaged ({})", ZSTD_getErrorName(left)));
      }
      between_frames_ = left == 0;
      if (out.pos == 0 && input_.at_end() && !between_frames_) throw_cut_short(file_, "zstd");
    }
    return out.pos;
  }

 private:
  Input input_;
  std::string file_;
  std::unique_ptr<ZSTD_DCtx, FreeContext> context_;
  bool between_frames_ = false;
};

/// A stream that must not have more bytes than data.max_bytes.
class LimitedStream : public ByteStream {
 public:
  LimitedStream(std::unique_ptr<ByteStream> stream, const std::string& file, std::int64_t max_bytes,
                std::string_view what)
      : stream_(std::move(stream)),
        file_(file),
        limit_(file_, max_bytes, kReason, ByteUse::kPassing),
        what_(what) {}

  std::size_t read(char* to, std::size_t most) override {
    const std::size_t got = stream_->read(to, std::min(most, limit_.room(total_ + most) - total_));
    total_ += got;
    limit_.check(total_, what_);
    return got;
  }

 private:
  std::unique_ptr<ByteStream> stream_;
  std::string file_;
  ByteLimit limit_;
  std::string_view what_;
  std::size_t total_ = 0;
};

/// A stream, after its first bytes, which were read from it before.
class ResumedStream : public ByteStream {
 public:
  ResumedStream(std::string first, std::unique_ptr<ByteStream> stream)
      : first_(std::move(first)), rest_(first_), stream_(std::move(stream)) {}

  std::size_t read(char* to, std::size_t most) override {
    const std::size_t got = rest_.read(to, most);
    return got > 0 ? got : stream_->read(to, most);
  }

 private:
  std::string first_;
  MemoryStream rest_;
  std::unique_ptr<ByteStream> stream_;
};

std::string read_first(ByteStream& stream, std::size_t count) {
  std::string bytes(count, '\0');
  std::size_t size = 0;
  while (size < count) {
    const std::size_t got = stream.read(bytes.data() + size, count - size);
    if (got == 0) break;
    size += got;
  }
  bytes.resize(size);
  return bytes;
}

std::unique_ptr<ByteStream> decompressed(Compression compression,
                                         std::unique_ptr<ByteStream> stream,
                                         const std::string& file) {
  if (compression == Compression::kGzip) {
    return std::make_unique<GzipStream>(std::move(stream), file);
  }
  return std::make_unique<ZstdStream>(std::move(stream), file);
}

}  // namespace

Compression detect_compression(std::string_view bytes) {
  if (bytes.starts_with("\x1F\x8B"sv)) return Compression::kGzip;
  if (is_zstd(bytes)) return Compression::kZstd;
  return describe_unknown(bytes).empty() ? Compression::kNone : Compression::kUnknown;
}

ByteBuffer decompress(Compression compression, std::string_view bytes, ByteLimit& limit,
                      const std::string& file) {
  const std::unique_ptr<ByteStream> stream =
      decompressed(compression, std::make_unique<MemoryStream>(bytes), file);
  return read_to_end(*stream, 0, limit, "the decompressed file");
}

std::unique_ptr<ByteStream> open_file(const std::filesystem::path& path, std::int64_t max_bytes) {
  const bool standard_input = path == "-";
  const std::string file = standard_input ? "standard input" : path.string();
  auto bytes = standard_input ? std::make_unique<FileStream>(FileStream::StandardInput{}, file)
                              : std::make_unique<FileStream>(file);
  ByteLimit(file, max_bytes, kReason, ByteUse::kPassing).check(bytes->size(), "the file");
  std::unique_ptr<ByteStream> stream =
      std::make_unique<LimitedStream>(std::move(bytes), file, max_bytes, "the file");
  constexpr std::size_t kMagicBytes = 16;
  std::string first = read_first(*stream, kMagicBytes);
  const Compression compression = detect_compression(first);
  if (compression == Compression::kUnknown) {
    throw DataError(
        file, 0,
        fmt::format("found {}, expected plain text, gzip or zstd", describe_unknown(first)));
  }
  stream = std::make_unique<ResumedStream>(std::move(first), std::move(stream));
  if (compression == Compression::kNone) return stream;
  return std::make_unique<LimitedStream>(decompressed(compression, std::move(stream), file), file,
                                         max_bytes, "the decompressed file");
}

ByteBuffer read_file(const std::filesystem::path& path, std::int64_t max_bytes) {
  const std::unique_ptr<ByteStream> stream = open_file(path, max_bytes);
  const std::string file = path == "-" ? "standard input" : path.string();
  ByteLimit limit(file, max_bytes, kReason);
  return read_to_end(*stream, 0, limit);
}

}  // namespace tern
