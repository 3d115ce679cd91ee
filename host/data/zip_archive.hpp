#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "host/support/file_bytes.hpp"

namespace tern {

/// A reader of zip archives as Python's zipfile writes them: members stored or deflated, below 4 GiB.
/// Source: PKWARE's APPNOTE.TXT 6.3.10.
class ZipArchive {
 public:
  /// bytes: the archive, which must outlive the object. Throws DataError if it is no zip archive, or one
  /// with encrypted members, other methods of compression or several disks.
  ZipArchive(std::string_view bytes, const std::string& file);

  std::vector<std::string> names() const;
  bool contains(std::string_view name) const { return find(name) != nullptr; }
  /// A member, decompressed and compared with its checksum. Throws DataError if it is not there or
  /// damaged, or has more bytes than the limit, which all members share.
  ByteBuffer read(std::string_view name, std::int64_t& limit) const;

 private:
  struct Member {
    std::string name;
    bool deflated = false;
    std::uint32_t checksum = 0;
    std::uint64_t compressed = 0;
    std::uint64_t size = 0;
    std::uint64_t place = 0;  // of its local header
  };
  const Member* find(std::string_view name) const;
  void add_member(std::uint64_t place);
  std::string_view compressed_bytes(const Member& member) const;
  std::uint64_t number(std::uint64_t place, int num_bytes) const;
  std::string_view part(std::uint64_t place, std::uint64_t size) const;
  [[noreturn]] void fail(const std::string& found) const;

  std::string_view bytes_;
  std::string file_;
  std::vector<Member> members_;
};

}  // namespace tern
