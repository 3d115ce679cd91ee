#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace tern::cli {

/// Thrown if the reader of standard output is gone (tern ... | head): the program ends, but this is
/// no failure.
struct ReaderGone {};

/// Makes the directory and its parents if they are missing. Throws Error.
void make_directory(const std::filesystem::path& path);

/// Writes the text to standard output. Throws as Output does.
void print(std::string_view text);

/// The data that a subcommand writes to standard output or to a file. Buffered; nothing is certain
/// to be written before finish(). A regular file is written under another name and then renamed, so
/// that it is complete or absent. Throws Error with the system's reason if writing fails.
class Output {
 public:
  /// Standard output.
  Output();
  /// A file; "-" is standard output.
  explicit Output(const std::filesystem::path& path);
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;
  /// Without finish(), removes the incomplete file.
  ~Output();

  void write(std::string_view text);
  void finish();

 private:
  void flush();
  [[noreturn]] void fail(int error) const;

  std::filesystem::path path_;     // empty: standard output
  std::filesystem::path partial_;  // written until finish(); empty: path_ itself is written
  std::string buffer_;
  int descriptor_ = -1;
};

}  // namespace tern::cli
