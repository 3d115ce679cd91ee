#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "host/data/text.hpp"
#include "host/support/byte_stream.hpp"
#include "host/support/file_bytes.hpp"
#include "host/support/parallel.hpp"
#include "tern/dataset.hpp"
#include "tern/error.hpp"

namespace tern {

/// A text that is read in blocks, of which only one is in memory. Its head, which shows how the text has to
/// be read, is the first block; rows() and advance() then go through all rows. The blocks do not change the
/// result or the errors of a reader.
class TextBlocks {
 public:
  /// Enough for all that is sampled of a text, and for its chunks to keep many threads busy.
  static constexpr std::size_t kBytes = std::size_t{1} << 23;

  /// Reads the head. Throws DataError as checked_text() does. file: the name in errors; row_bytes: about how
  /// many bytes rows() returns, for tests.
  TextBlocks(std::unique_ptr<ByteStream> stream, std::string file,
             TextEncoding encoding = TextEncoding::kUtf8, std::size_t row_bytes = kBytes);

  const std::string& file() const noexcept { return file_; }
  /// The whole lines of the block, or all of the text if it is short. Before rows() or advance(): from the
  /// beginning of the text, with at least one line that is not blank.
  std::string_view head() const;
  /// Whether the block is the rest of the text.
  bool at_end() const noexcept { return ended_; }

  /// The size of the block: of a short text, its own.
  std::size_t bytes_in_memory() const noexcept { return block().size(); }

  /// Overwrites the comments at the beginning, as blank_out_comments() does. Returns how many there were.
  std::int64_t blank_out_comments();
  /// Whether the bytes of a head in Latin-1 were UTF-8, and not only ASCII.
  bool was_utf8() const noexcept { return was_utf8_; }

  /// The next rows, which end at the end of a line that is not between double quotes, or at the end of the
  /// text. Empty only at the end.
  std::string_view rows(Quotes quotes);
  /// Drops the first bytes, which have been read.
  void advance(std::size_t bytes);
  /// The line of a place in the block, from 1.
  std::int64_t line_of(const char* where) const;

 private:
  std::string_view block() const { return buffer_.view().substr(begin_); }
  void load(std::size_t bytes);

  std::unique_ptr<ByteStream> stream_;
  std::string file_;
  TextEncoding encoding_;
  std::size_t row_bytes_;
  ByteBuffer buffer_;
  ByteBuffer latin1_;      // bytes that are not decoded yet
  std::size_t begin_ = 0;  // of the block in the buffer
  bool ended_ = false;
  bool decodes_ = false;
  bool was_utf8_ = false;
  std::int64_t lines_before_ = 0;
};

/// Calls parse(chunk, i) for the chunks of some rows, as parallel_for() does; chunks are about chunk_bytes
/// long. begin(n), which comes first, gets their number. A TextError becomes a DataError.
template <typename Begin, typename Parse>
void for_each_chunk(const TextBlocks& text, std::string_view rows, Quotes quotes,
                    std::size_t chunk_bytes, const Begin& begin, const Parse& parse) {
  const std::vector<std::string_view> chunks = split_at_lines(rows, quotes, chunk_bytes);
  begin(chunks.size());
  try {
    parallel_for(static_cast<std::int64_t>(chunks.size()), [&](std::int64_t i) {
      parse(chunks[static_cast<std::size_t>(i)], static_cast<std::size_t>(i));
    });
  } catch (const TextError& error) {
    throw DataError(text.file(), text.line_of(error.where), error.message);
  }
}

/// The chunks of a block of rows: many, so that threads end together.
inline constexpr std::size_t kChunkBytes = std::size_t{1} << 17;

}  // namespace tern
