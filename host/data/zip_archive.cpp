#include "host/data/zip_archive.hpp"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <memory>
#include <new>
#include <span>
#include <utility>

#include "host/data/memory_budget.hpp"
#include "host/support/message.hpp"
#include "tern/error.hpp"

namespace tern {
namespace {

// Sizes of the fixed parts, and signatures.
constexpr std::uint64_t kEndBytes = 22;
constexpr std::uint64_t kEntryBytes = 46;
constexpr std::uint64_t kLocalBytes = 30;
constexpr std::uint64_t kMaxCommentBytes = 65'535;
constexpr std::string_view kEndSignature = "PK\x05\x06";
constexpr std::string_view kEntrySignature = "PK\x01\x02";
constexpr std::string_view kLocalSignature = "PK\x03\x04";
/// Deflate makes at most 1032 bytes of one (zlib's documentation).
constexpr std::uint64_t kMaxExpansion = 1032;

struct EndStream {
  void operator()(z_stream* stream) const noexcept { inflateEnd(stream); }
};

/// Whether the bytes hold exactly one deflated stream of output.size() bytes. Members are below 4 GiB.
bool inflate_all(std::string_view bytes, std::span<char> output) {
  z_stream stream{};
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) throw std::bad_alloc();  // negative: no header
  const std::unique_ptr<z_stream, EndStream> end(&stream);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(output.data());
  stream.avail_out = static_cast<uInt>(output.size());
  const int status = inflate(&stream, Z_FINISH);
  if (status == Z_MEM_ERROR) throw std::bad_alloc();
  return status == Z_STREAM_END && stream.avail_in == 0 && stream.avail_out == 0;
}

}  // namespace

ZipArchive::ZipArchive(std::string_view bytes, const std::string& file)
    : bytes_(bytes), file_(file) {
  // The last end record: a comment may follow it.
  const std::uint64_t least = kEndBytes + kMaxCommentBytes;
  const std::size_t from = bytes.size() > least ? bytes.size() - least : 0;
  const std::size_t found = bytes.substr(from).rfind(kEndSignature);
  if (found == std::string_view::npos) fail("no end record of a zip archive");
  const std::uint64_t end = from + found;
  if (number(end + 4, 2) != 0 || number(end + 6, 2) != 0) fail("several disks");
  const std::uint64_t count = number(end + 10, 2);
  constexpr std::uint64_t kMaxMembers = 1000;
  std::uint64_t place = number(end + 16, 4);
  if (place == 0xFFFFFFFF || count == 0xFFFF) {
    fail("an archive of more than 4 GiB (zip64), which is not read; save compressed, or as .npy");
  }
  if (count > kMaxMembers) fail(fmt::format("{} members", count));
  for (std::uint64_t i = 0; i < count; ++i) {
    add_member(place);
    place += kEntryBytes + number(place + 28, 2) + number(place + 30, 2) + number(place + 32, 2);
  }
}

void ZipArchive::add_member(std::uint64_t place) {
  if (part(place, 4) != kEntrySignature) fail("a damaged directory of members");
  Member member;
  member.name = part(place + kEntryBytes, number(place + 28, 2));
  const auto refuse = [&](const std::string& what) {
    fail(fmt::format("the member {} {}", quote(member.name), what));
  };
  if ((number(place + 8, 2) & 1) != 0) refuse("encrypted");
  const std::uint64_t method = number(place + 10, 2);
  if (method != 0 && method != 8) {
    refuse(fmt::format("compressed by method {}, expected deflate (8) or none (0)", method));
  }
  member.deflated = method == 8;
  member.checksum = static_cast<std::uint32_t>(number(place + 16, 4));
  member.compressed = number(place + 20, 4);
  member.size = number(place + 24, 4);
  member.place = number(place + 42, 4);
  if (member.compressed == 0xFFFFFFFF || member.size == 0xFFFFFFFF || member.place == 0xFFFFFFFF) {
    refuse("of more than 4 GiB (zip64), which is not read; save it as .npy");
  }
  if (member.deflated ? member.size / kMaxExpansion > member.compressed
                      : member.size != member.compressed) {
    refuse(fmt::format("of {} bytes, which cannot come from {}", member.size, member.compressed));
  }
  if (contains(member.name)) refuse("twice");
  members_.push_back(std::move(member));
}

std::vector<std::string> ZipArchive::names() const {
  std::vector<std::string> names;
  for (const Member& member : members_) names.push_back(member.name);
  return names;
}

ByteBuffer ZipArchive::read(std::string_view name, std::int64_t& limit) const {
  const Member* member = find(name);
  if (member == nullptr) fail(fmt::format("no member {}", quote(name)));
  if (member->size > static_cast<std::uint64_t>(std::max<std::int64_t>(limit, 0))) {
    throw DataError(
        file_, 0,
        fmt::format("the member {} has {} bytes, but only {} are left of data.max_bytes",
                    quote(name), member->size, limit));
  }
  require_memory(member->size, file_);
  limit -= static_cast<std::int64_t>(member->size);
  const std::string_view compressed = compressed_bytes(*member);
  ByteBuffer output;
  output.reserve(std::max<std::size_t>(member->size, 1));
  const std::span<char> room(output.end(), member->size);
  bool whole = true;
  if (member->deflated) {
    whole = inflate_all(compressed, room);
  } else {
    std::copy(compressed.begin(), compressed.end(), room.begin());
  }
  output.extend(member->size);
  if (!whole ||
      crc32_z(0, reinterpret_cast<const Bytef*>(room.data()), room.size()) != member->checksum) {
    fail(fmt::format("the member {} damaged", quote(name)));
  }
  return output;
}

const ZipArchive::Member* ZipArchive::find(std::string_view name) const {
  const auto found = std::find_if(members_.begin(), members_.end(),
                                  [&](const Member& member) { return member.name == name; });
  return found == members_.end() ? nullptr : &*found;
}

std::string_view ZipArchive::compressed_bytes(const Member& member) const {
  if (part(member.place, 4) != kLocalSignature) {
    fail(fmt::format("no beginning of the member {}", quote(member.name)));
  }
  const std::uint64_t begin =
      member.place + kLocalBytes + number(member.place + 26, 2) + number(member.place + 28, 2);
  return part(begin, member.compressed);
}

std::uint64_t ZipArchive::number(std::uint64_t place, int num_bytes) const {
  const std::string_view bytes = part(place, static_cast<std::uint64_t>(num_bytes));
  std::uint64_t value = 0;
  for (int i = num_bytes - 1; i >= 0; --i) {
    value = value << 8 | static_cast<unsigned char>(bytes[static_cast<std::size_t>(i)]);
  }
  return value;
}

std::string_view ZipArchive::part(std::uint64_t place, std::uint64_t size) const {
  if (place > bytes_.size() || size > bytes_.size() - place) fail("an archive that is cut short");
  return bytes_.substr(place, size);
}

void ZipArchive::fail(const std::string& found) const {
  throw DataError(file_, 0, fmt::format("found {}, expected NumPy's .npz", found));
}

}  // namespace tern
