#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace tern::cli {

/// Thrown when whoever read our standard output has gone away (tern ... | head): no failure, but
/// nothing is left to do.
struct ReaderGone {};

/// Where a subcommand's data goes: standard output, or a file. Buffered; nothing counts as written
/// before finish(). A regular file is written beside and renamed, so that it is whole or absent.
/// Throws Error with the system's reason when writing fails.
class Output {
 public:
  /// Standard output.
  Output();
  /// A file; "-" is standard output.
  explicit Output(const std::filesystem::path& path);
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;
  /// Without finish(): what was begun is removed again.
  ~Output();

  void write(std::string_view text);
  void finish();

 private:
  void flush();
  [[noreturn]] void fail(int error) const;

  std::filesystem::path path_;     // empty: standard output
  std::filesystem::path partial_;  // where the bytes go until finish(); empty: straight to path_
  std::string buffer_;
  int descriptor_ = -1;
};

}  // namespace tern::cli
