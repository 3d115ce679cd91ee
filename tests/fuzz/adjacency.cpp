// The adjacency list reader. Promises: the result, or the exact message of the refusal, does not
// depend on the chunks; it agrees with a naive reader, which refuses the same inputs; written and
// read again, it is the same.

#include "host/data/adjacency.hpp"

#include <optional>

#include "tests/fuzz/targets.hpp"

namespace tern::fuzz {
namespace {

bool equal(const AdjacencyList& a, const AdjacencyList& b) {
  return a.pairs == b.pairs && a.users == b.users && a.blank_lines == b.blank_lines;
}

std::optional<NodeId> plain_id(std::string_view word) {
  constexpr std::int64_t kEnd = 2147483647;
  std::int64_t value = 0;
  for (const char c : word) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
    if (value >= kEnd) return std::nullopt;
  }
  return static_cast<NodeId>(value);
}

/// The words of a line as numbers; nothing if one of them is not a number.
std::optional<std::vector<NodeId>> plain_line(std::string_view line) {
  std::vector<NodeId> ids;
  std::string word;
  for (std::size_t i = 0; i <= line.size(); ++i) {
    const bool blank = i == line.size() || line[i] == ' ' || line[i] == '\t';
    if (!blank) word += line[i];
    if (!blank || word.empty()) continue;
    const std::optional<NodeId> id = plain_id(word);
    if (!id) return std::nullopt;
    ids.push_back(*id);
    word.clear();
  }
  return ids;
}

std::optional<AdjacencyList> plain_reading(std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  AdjacencyList list;
  while (!text.empty()) {
    const std::size_t stop = text.find('\n');
    std::string_view line = text.substr(0, stop);
    text.remove_prefix(stop == std::string_view::npos ? text.size() : stop + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    const std::optional<std::vector<NodeId>> ids = plain_line(line);
    if (!ids) return std::nullopt;
    if (ids->empty()) {
      ++list.blank_lines;
      continue;
    }
    list.users.push_back(ids->front());
    for (std::size_t i = 1; i < ids->size(); ++i) list.pairs.push_back({ids->front(), (*ids)[i]});
  }
  if (list.users.empty()) return std::nullopt;
  return list;
}

/// Writes a line for each user with a line, in the list's order.
std::string written(const AdjacencyList& list) {
  std::string text;
  std::size_t next = 0;
  for (const NodeId user : list.users) {
    text += std::to_string(user);
    // Adjacent lines of one user are written as one line, which keeps the pairs.
    for (; next < list.pairs.size() && list.pairs[next].user == user; ++next) {
      text += ' ';
      text += std::to_string(list.pairs[next].item);
    }
    text += '\n';
  }
  return text;
}

}  // namespace

void read_adjacency(Input input) {
  const std::size_t chunk_bytes = 1 + input.byte() % 32;
  const std::string_view text = input.rest();
  const auto whole = attempt([&] { return parse_adjacency(text, "list"); });
  const auto pieces = attempt([&] { return parse_adjacency(text, "list", chunk_bytes); });
  const std::optional<AdjacencyList> expected = plain_reading(text);
  require(whole.index() == pieces.index(), "cut text is refused, or whole text is");
  require((accepted(whole) != nullptr) == expected.has_value(), "a plain reading disagrees");
  if (accepted(whole) == nullptr) {
    require(std::get<1>(whole) == std::get<1>(pieces), "the refusal depends on the cuts");
    return;
  }
  const AdjacencyList& list = *accepted(whole);
  require(equal(list, *accepted(pieces)), "the list depends on the cuts");
  require(equal(list, *expected), "the list is not what a plain reading gives");
  const AdjacencyList again = parse_adjacency(written(list), "again", chunk_bytes);
  require(again.pairs == list.pairs && again.users == list.users, "written, it reads otherwise");
}

}  // namespace tern::fuzz
