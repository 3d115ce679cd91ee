#include "host/data/text_blocks.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <utility>

#include "host/support/parallel.hpp"
#include "host/support/utf8.hpp"

namespace tern {
namespace {

bool is_blank_text(std::string_view text) {
  return text.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

/// The end of the last line in a text that begins outside of quotes, and whose line ends between quotes do
/// not count; 0 if no line ends.
std::size_t end_of_rows(std::string_view text, Quotes quotes) {
  if (quotes == Quotes::kNone || text.find('"') == std::string_view::npos) {
    return text.rfind('\n') + 1;  // npos + 1 is 0
  }
  bool inside = (std::count(text.begin(), text.end(), '"') & 1) != 0;
  for (std::size_t end = text.size(); end > 0; --end) {
    if (text[end - 1] == '\n' && !inside) return end;
    if (text[end - 1] == '"') inside = !inside;
  }
  return 0;
}

std::int64_t count_lines(std::string_view text) {
  constexpr std::int64_t kAtOnce = 1 << 20;
  std::atomic<std::int64_t> lines = 0;
  parallel_for_ranges(shared_pool(), static_cast<std::int64_t>(text.size()), kAtOnce,
                      [&](std::int64_t begin, std::int64_t end) {
                        lines += std::count(text.begin() + begin, text.begin() + end, '\n');
                      });
  return lines;
}

}  // namespace

TextBlocks::TextBlocks(std::unique_ptr<ByteStream> stream, std::string file, TextEncoding encoding,
                       std::size_t row_bytes)
    : stream_(std::move(stream)),
      file_(std::move(file)),
      encoding_(encoding),
      row_bytes_(std::max<std::size_t>(row_bytes, 1)) {
  load(kBytes);
  while (!ended_ && (block().find('\n') == std::string_view::npos || is_blank_text(head()))) {
    load(2 * block().size());
  }
  const std::string_view text = checked_text(block(), file_);
  begin_ += block().size() - text.size();
  if (encoding_ == TextEncoding::kUtf8) return;
  const auto above = [](char c) { return static_cast<unsigned char>(c) >= 0x80; };
  was_utf8_ = std::any_of(head().begin(), head().end(), above) && is_utf8(head());
  buffer_ = latin1_to_utf8(block());
  begin_ = 0;
  decodes_ = true;
}

std::string_view TextBlocks::head() const {
  return ended_ ? block() : block().substr(0, end_of_rows(block(), Quotes::kNone));
}

/// Drops the bytes before the block, and reads on until the block has this many, or the text ends.
void TextBlocks::load(std::size_t bytes) {
  const std::size_t left = block().size();
  if (begin_ > 0 && left > 0) std::memmove(buffer_.data(), buffer_.data() + begin_, left);
  buffer_.truncate(left);
  begin_ = 0;
  // A row that is longer than a block stays in memory as a whole.
  ByteLimit limit(file_, ByteLimit::kUnlimited);
  while (buffer_.size() < bytes && !ended_) {
    limit.check(buffer_.size(), "a line of the file");
    // Grows by doubling, because most texts are shorter than a block.
    constexpr std::size_t kFirst = std::size_t{1} << 16;
    ByteBuffer& to = decodes_ ? latin1_ : buffer_;
    to.reserve(limit.room(std::min(bytes, std::max(2 * to.size(), kFirst))));
    const std::size_t got = stream_->read(to.end(), to.capacity() - to.size());
    to.extend(got);
    ended_ = got == 0;
    if (!decodes_) continue;
    const ByteBuffer decoded = latin1_to_utf8(latin1_.view());
    buffer_.append(decoded.view());
    latin1_.truncate(0);
  }
}

std::int64_t TextBlocks::blank_out_comments() {
  std::int64_t comments = 0;
  std::size_t done = 0;
  while (true) {
    const std::size_t lines = head().size();
    comments += tern::blank_out_comments(buffer_.bytes().subspan(begin_ + done, lines - done));
    if (ended_ || !is_blank_text(head())) break;
    done = lines;
    load(2 * block().size());
  }
  static_cast<void>(checked_text(block(), file_));
  return comments;
}

std::string_view TextBlocks::rows(Quotes quotes) {
  for (std::size_t bytes = row_bytes_;; bytes *= 2) {
    if (!ended_ && block().size() < bytes) load(bytes);
    const std::string_view rows = block().substr(0, bytes);
    if (ended_ && rows.size() == block().size()) return rows;
    if (const std::size_t end = end_of_rows(rows, quotes); end > 0) return rows.substr(0, end);
  }
}

void TextBlocks::advance(std::size_t bytes) {
  lines_before_ += count_lines(block().substr(0, bytes));
  begin_ += bytes;
}

std::int64_t TextBlocks::line_of(const char* where) const {
  return lines_before_ + tern::line_of(block(), where);
}

}  // namespace tern
