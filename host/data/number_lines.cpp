// The widths of lines are counted first: real adjacency lists are recognised by them after a
// thousand lines. Only lines of three or more integers each are read on.

#include "host/data/number_lines.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <unordered_set>
#include <vector>

#include "host/data/text.hpp"
#include "tern/types.hpp"

namespace tern {
namespace {

constexpr std::int64_t kFirstLines = 1000;
constexpr std::int64_t kMaxLines = 100'000;
constexpr std::size_t kMaxWords = 8;  // of a line, to compare

struct Word {
  std::string_view text;
  bool integer = false;
  bool fraction = false;
  bool large = false;
  std::int64_t value = 0;
};

Word read_word(std::string_view text) {
  Word word{text};
  const bool negative = text.starts_with('-');
  const std::string_view digits = text.substr(negative ? 1 : 0);
  word.integer = !digits.empty();
  for (const char c : digits) {
    if (c < '0' || c > '9') {
      word.integer = false;
      const std::optional<double> number = parse_number(text, DecimalComma::kAllowed);
      word.fraction = number && std::isfinite(*number);
      return word;
    }
    constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max() / 16;
    if (word.value < kMax) word.value = word.value * 10 + (c - '0');
  }
  word.large = word.value >= std::numeric_limits<NodeId>::max();
  if (negative) word.value = -word.value;
  return word;
}

/// Calls use(word) for the words of a line.
template <typename Use>
void for_each_word(std::string_view line, const Use& use) {
  constexpr std::string_view kBlanks = " \t";
  std::size_t place = line.find_first_not_of(kBlanks);
  while (place != std::string_view::npos) {
    const std::size_t stop = std::min(line.find_first_of(kBlanks, place), line.size());
    use(line.substr(place, stop - place));
    place = line.find_first_not_of(kBlanks, stop);
  }
}

/// The widths of lines, and whether they are integers.
void count_widths(std::string_view text, std::int64_t max_lines, NumberLines& lines) {
  std::map<std::size_t, std::int64_t> widths;
  const char* cursor = text.data();
  const char* end = cursor + text.size();
  lines = {};
  while (cursor < end && lines.lines < max_lines) {
    std::size_t width = 0;
    bool integers = true;
    for_each_word(next_line(cursor, end), [&](std::string_view text) {
      const Word word = read_word(text);
      ++width;
      integers = integers && word.integer;
      lines.has_fractions = lines.has_fractions || word.fraction;
      lines.has_large_numbers = lines.has_large_numbers || (word.integer && word.large);
    });
    if (width == 0) continue;
    ++lines.lines;
    ++widths[width];
    if (!integers) ++lines.with_words;
    if (lines.lines == 1) lines.words_first = !integers;
  }
  for (const auto& [width, count] : widths) {
    if (count > lines.usual) {
      lines.usual = count;
      lines.width = width;
    }
  }
}

/// Values of a column that may be times: numbers that grow with time, from 1973 on.
class TimeColumn {
 public:
  void add(std::int64_t value) {
    constexpr std::int64_t kFrom = 100'000'000;
    times_ = times_ && value >= kFrom;
  }
  bool holds_times() const { return times_; }

 private:
  bool times_ = true;
};

void count_values(std::string_view text, NumberLines& lines) {
  std::unordered_set<std::int64_t> users;
  std::unordered_set<std::int64_t> seconds;
  std::unordered_set<std::int64_t> thirds;
  std::array<TimeColumn, 4> times;
  std::vector<Word> words;
  const char* cursor = text.data();
  const char* end = cursor + text.size();
  std::int64_t line = 0;
  std::int64_t left = lines.lines;
  lines.lines = 0;
  while (cursor < end && left > 0) {
    ++line;
    words.clear();
    std::size_t width = 0;
    for_each_word(next_line(cursor, end), [&](std::string_view word) {
      if (width++ < kMaxWords) words.push_back(read_word(word));
    });
    if (words.empty()) continue;
    --left;
    ++lines.lines;
    if (width != lines.width ||
        !std::all_of(words.begin(), words.end(), [](const Word& word) { return word.integer; })) {
      continue;
    }
    if (users.empty()) {
      lines.first = {words[0].text, words[1].text, words[2].text};
      lines.first_line = line;
    }
    ++lines.counted;
    users.insert(words[0].value);
    seconds.insert(words[1].value);
    thirds.insert(words[2].value);
    for (std::size_t c = 0; c < words.size(); ++c) {
      if (c < times.size()) times[c].add(words[c].value);
      lines.has_negative = lines.has_negative || words[c].value < 0;
      if (c >= 2) lines.ascending = lines.ascending && words[c - 1].value < words[c].value;
    }
  }
  lines.users = static_cast<std::int64_t>(users.size());
  lines.seconds = static_cast<std::int64_t>(seconds.size());
  lines.thirds = static_cast<std::int64_t>(thirds.size());
  // Ids that are as large say nothing.
  const bool large_ids = times[1].holds_times();
  lines.has_times = !large_ids && times[lines.width >= 4 ? 3 : 2].holds_times();
}

}  // namespace

NumberLines count_number_lines(std::string_view text) {
  NumberLines lines;
  count_widths(text, kFirstLines, lines);
  if (lines.lines == kFirstLines && lines.usual * 10 >= lines.lines * 9) {
    count_widths(text, kMaxLines, lines);
  }
  if (lines.width >= 3) count_values(text, lines);
  return lines;
}

}  // namespace tern
