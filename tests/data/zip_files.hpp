#pragma once

#include <zlib.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/support/compressed.hpp"

namespace tern::testing {

inline void append_bytes(std::string& text, std::uint64_t number, int num_bytes) {
  for (int i = 0; i < num_bytes; ++i, number >>= 8) text += static_cast<char>(number & 0xFF);
}

/// A member of an archive. claimed_size: what the directory says of it, if not the truth.
struct ZipMember {
  std::string name;
  std::string bytes;
  std::uint16_t method = 8;
  std::uint16_t flags = 0;
  std::int64_t claimed_size = -1;
};

inline std::string zip(const std::vector<ZipMember>& members) {
  std::string out;
  std::string directory;
  for (const ZipMember& member : members) {
    const std::string stored = member.method == 8 ? test::raw_deflate(member.bytes) : member.bytes;
    const auto checksum =
        crc32_z(0, reinterpret_cast<const Bytef*>(member.bytes.data()), member.bytes.size());
    const std::uint64_t size = member.claimed_size >= 0
                                   ? static_cast<std::uint64_t>(member.claimed_size)
                                   : member.bytes.size();
    std::string common;  // of both headers
    append_bytes(common, 20, 2);
    append_bytes(common, member.flags, 2);
    append_bytes(common, member.method, 2);
    append_bytes(common, 0, 4);  // time
    append_bytes(common, checksum, 4);
    append_bytes(common, stored.size(), 4);
    append_bytes(common, size, 4);
    append_bytes(common, member.name.size(), 2);
    append_bytes(common, 0, 2);  // extra field
    directory.append("PK\x01\x02");
    append_bytes(directory, 20, 2);
    directory.append(common);
    append_bytes(directory, 0, 10);  // comment, disk, attributes
    append_bytes(directory, out.size(), 4);
    directory.append(member.name);
    out.append("PK\x03\x04").append(common).append(member.name).append(stored);
  }
  const std::size_t begin = out.size();
  out.append(directory).append("PK\x05\x06");
  append_bytes(out, 0, 4);
  append_bytes(out, members.size(), 2);
  append_bytes(out, members.size(), 2);
  append_bytes(out, directory.size(), 4);
  append_bytes(out, begin, 4);
  append_bytes(out, 0, 2);
  return out;
}

}  // namespace tern::testing
