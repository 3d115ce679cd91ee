#include "host/data/adjacency.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "host/data/memory_budget.hpp"
#include "host/data/text.hpp"
#include "host/support/message.hpp"

namespace tern {
namespace {

constexpr std::uint64_t kIdEnd = std::numeric_limits<NodeId>::max();

struct Line {
  NodeId user = 0;
  std::int64_t num_items = 0;
};

/// The content of one chunk.
struct ParsedChunk {
  std::vector<Line> lines;
  std::vector<NodeId> items;
  std::int64_t blank_lines = 0;
};

bool is_separator(char c) {
  return c == ' ' || c == '\t';
}

/// Throws TextError with the fault of the id that begins at `token`.
[[noreturn]] void throw_bad_id(std::string_view kind, const char* token, const char* end) {
  const char* stop = std::find_if(token, end, is_separator);
  const std::string_view text(token, static_cast<std::size_t>(stop - token));
  const std::string_view digits = text.substr(text.starts_with('-') ? 1 : 0);
  std::string problem;
  if (text.find('\0') != std::string_view::npos) {
    problem = fmt::format("{} id {} has a NUL byte, expected text", kind, quote(text));
  } else if (digits.empty() || digits.find_first_not_of("0123456789") != std::string_view::npos) {
    problem = fmt::format("{} id {} is not a number, expected an integer id", kind, quote(text));
  } else if (text.size() > digits.size()) {
    problem = fmt::format("{} id {} is negative, expected ids from 0", kind, quote(text));
  } else {
    problem =
        fmt::format("{} id {} is too large, expected ids below {}", kind, quote(text), kIdEnd);
  }
  throw TextError{token, problem + "; other ids need a table (data.format = table)"};
}

/// Reads the id at cursor, which must not be at a blank or at the line's end.
NodeId parse_id(std::string_view kind, const char*& cursor, const char* end) {
  const char* begin = cursor;
  std::uint64_t value = 0;
  for (; cursor < end; ++cursor) {
    const auto digit = static_cast<unsigned>(static_cast<unsigned char>(*cursor)) - '0';
    if (digit > 9) break;
    value = value * 10 + digit;
    if (value >= kIdEnd) throw_bad_id(kind, begin, end);
  }
  if (cursor == begin || (cursor < end && !is_separator(*cursor))) throw_bad_id(kind, begin, end);
  return static_cast<NodeId>(value);
}

/// Ids are counted in batches, within lines too, because one line may hold the whole file.
constexpr std::size_t kCountedAtOnce = std::size_t{1} << 14;

void count(std::size_t ids, MemoryMeter& meter) {
  meter.add(kMemoryOfPair * static_cast<std::int64_t>(ids));
}

void parse_line(std::string_view line, ParsedChunk& part, MemoryMeter& meter) {
  const char* cursor = line.data();
  const char* end = cursor + line.size();
  const auto skip_blanks = [&] {
    while (cursor < end && is_separator(*cursor)) ++cursor;
  };
  skip_blanks();
  if (cursor == end) {
    ++part.blank_lines;
    return;
  }
  const NodeId user = parse_id("user", cursor, end);
  const std::size_t before = part.items.size();
  for (skip_blanks(); cursor < end; skip_blanks()) {
    part.items.push_back(parse_id("item", cursor, end));
    if (part.items.size() % kCountedAtOnce == 0) count(kCountedAtOnce, meter);
  }
  part.lines.push_back({user, static_cast<std::int64_t>(part.items.size() - before)});
  if (part.lines.size() % kCountedAtOnce == 0) count(kCountedAtOnce, meter);
}

ParsedChunk parse_chunk(std::string_view text, MemoryBudget& budget) {
  ParsedChunk part;
  MemoryMeter meter(budget);
  part.items.reserve(text.size() / 6);  // most ids have about five digits; a guess, not a bound
  const char* cursor = text.data();
  const char* end = cursor + text.size();
  while (cursor < end) parse_line(next_line(cursor, end), part, meter);
  count(part.items.size() % kCountedAtOnce + part.lines.size() % kCountedAtOnce, meter);
  meter.settle();
  return part;
}

/// Appends the parts of a block in order.
void join_lines(std::vector<ParsedChunk>& parts, AdjacencyList& list) {
  std::vector<std::size_t> first_pair(parts.size() + 1, list.pairs.size());
  std::vector<std::size_t> first_line(parts.size() + 1, list.users.size());
  for (std::size_t i = 0; i < parts.size(); ++i) {
    first_pair[i + 1] = first_pair[i] + parts[i].items.size();
    first_line[i + 1] = first_line[i] + parts[i].lines.size();
    list.blank_lines += parts[i].blank_lines;
  }
  list.pairs.append(first_pair.back() - list.pairs.size());
  list.users.append(first_line.back() - list.users.size());
  parallel_for(static_cast<std::int64_t>(parts.size()), [&](std::int64_t i) {
    NodeId* user = list.users.data() + first_line[i];
    Interaction* pair = list.pairs.data() + first_pair[i];
    const NodeId* item = parts[i].items.data();
    for (const Line& line : parts[i].lines) {
      *user++ = line.user;
      for (std::int64_t k = 0; k < line.num_items; ++k) *pair++ = {line.user, *item++};
    }
    parts[i] = {};
  });
}

AdjacencyList parse_list(TextBlocks& text, std::size_t chunk_bytes, std::int64_t memory) {
  MemoryBudget budget(text.file(), memory);
  AdjacencyList list;
  std::vector<ParsedChunk> parts;
  for (std::string_view rows; !(rows = text.rows(Quotes::kNone)).empty();
       text.advance(rows.size())) {
    for_each_chunk(
        text, rows, Quotes::kNone, chunk_bytes, [&](std::size_t chunks) { parts.resize(chunks); },
        [&](std::string_view chunk, std::size_t i) { parts[i] = parse_chunk(chunk, budget); });
    join_lines(parts, list);
  }
  return list;
}

}  // namespace

AdjacencyList parse_adjacency(TextBlocks& text) {
  return parse_list(text, kChunkBytes, MemoryBudget::for_text_of(text.bytes_in_memory()));
}

AdjacencyList parse_adjacency(std::string_view bytes, const std::string& file) {
  TextBlocks text(std::make_unique<MemoryStream>(bytes), file);
  return parse_adjacency(text);
}

AdjacencyList parse_adjacency(std::string_view bytes, const std::string& file,
                              std::size_t chunk_bytes, std::int64_t memory) {
  constexpr std::size_t kChunks = 3;
  TextBlocks text(std::make_unique<MemoryStream>(bytes), file, TextEncoding::kUtf8,
                  kChunks * chunk_bytes);
  return parse_list(text, chunk_bytes, memory);
}

}  // namespace tern
