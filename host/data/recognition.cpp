#include "host/data/recognition.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "host/data/number_lines.hpp"
#include "host/data/text.hpp"
#include "tern/error.hpp"

namespace tern {
namespace {

/// What a text can be, besides JSON lines. `leaning` decides if it can be both.
struct Evidence {
  bool json = false;
  bool list = false;
  bool table = false;
  enum class Leaning { kList, kTable, kNone } leaning = Leaning::kNone;
  std::string reason;  // of a leaning
  NumberLines lines;
};

bool begins_with_json(std::string_view text, const std::string& file) {
  const std::size_t place = text.find_first_not_of(" \t\r\n");
  if (text[place] == '{') return true;
  if (text[place] != '[') return false;
  const std::size_t next = text.find_first_not_of(" \t\r\n", place + 1);
  if (next == std::string_view::npos || text[next] != '{') return false;
  throw DataError(file, line_of(text, text.data() + place),
                  "found a JSON array, expected JSON lines, an object a line; convert it, for "
                  "example with jq -c '.[]'");
}

bool is_table_by_name(SourceFormat by_name) {
  return by_name == SourceFormat::kTsv || by_name == SourceFormat::kCsv;
}

/// An adjacency list has no columns, header or separator.
bool asks_for_table(const DataOptions& options) {
  return options.separator != "auto" || options.header == HeaderRow::kYes ||
         !options.user_column.empty() || !options.item_column.empty() ||
         !options.rating_column.empty() || !options.timestamp_column.empty();
}

/// Lines of three or more integers, as many in each line.
void weigh_even_lines(Evidence& evidence, PoolUse use) {
  const NumberLines& lines = evidence.lines;
  const std::int64_t repeats = lines.counted - lines.users;
  // Fewer lines can have few values by chance.
  constexpr std::int64_t kFewLines = 20;
  const bool few_values =
      lines.counted >= kFewLines && lines.thirds <= 20 && lines.thirds * 4 <= lines.counted;
  if (lines.has_times) {
    evidence.leaning = Evidence::Leaning::kTable;
    evidence.reason = fmt::format("column {} holds times", lines.width >= 4 ? 4 : 3);
  } else if (lines.has_negative) {
    evidence.list = false;
  } else if (repeats == 0) {
    const bool like_ratings = few_values && lines.thirds * 4 <= lines.seconds && !lines.ascending;
    const bool like_weights = lines.thirds == 1 && lines.seconds >= 3 && !lines.ascending;
    const bool like_a_row = use == PoolUse::kRows && lines.width == 3;
    if (!like_ratings && !like_weights && !like_a_row) {
      evidence.leaning = Evidence::Leaning::kList;
      evidence.reason = "no user repeats";
    }
  } else if (lines.counted >= kFewLines && repeats * (few_values ? 10 : 2) >= lines.counted) {
    evidence.leaning = Evidence::Leaning::kTable;
    evidence.reason = fmt::format("every line has {} numbers, and users repeat", lines.width);
  }
}

Evidence examine(const InteractionText& text, PoolUse use) {
  Evidence evidence;
  evidence.json = begins_with_json(text.bytes, text.file);
  if (evidence.json) return evidence;
  if (is_table_by_name(text.by_name)) {
    evidence.table = true;
    return evidence;
  }
  evidence.lines = count_number_lines(text.bytes);
  const NumberLines& lines = evidence.lines;
  // One broken line does not make a table a list, nor a list a table: its reader reports the line.
  constexpr double kMostLines = 0.95;
  const double share = static_cast<double>(lines.usual) / static_cast<double>(lines.lines);
  const bool even = share >= kMostLines;
  const bool mostly_words = lines.with_words * 2 > lines.lines;
  const bool header = lines.with_words == 1 && lines.words_first;
  const bool pairs_of_words = lines.width == 2 && lines.with_words > 0;
  evidence.table = mostly_words || lines.has_fractions || (even && lines.width >= 2);
  evidence.list =
      !mostly_words && !lines.has_fractions &&
      !(even && lines.width >= 2 && (header || pairs_of_words || lines.has_large_numbers));
  if (!evidence.list || !evidence.table) return evidence;
  if (lines.width == 2) {
    // Both readings have the same interactions, unless a line has another number of words.
    evidence.table = lines.usual == lines.lines;
    evidence.leaning = text.by_name == SourceFormat::kOtherTable ? Evidence::Leaning::kTable
                                                                 : Evidence::Leaning::kList;
    return evidence;
  }
  weigh_even_lines(evidence, use);
  return evidence;
}

[[noreturn]] void refuse_readings(const InteractionText& text, const NumberLines& lines) {
  const auto& first = lines.first;
  const std::string table =
      fmt::format("user {}, item {}, rating {}", first[0], first[1], first[2]);
  const std::string list = fmt::format("user {} with the items {} and {}{}", first[0], first[1],
                                       first[2], lines.width > 3 ? " and others" : "");
  throw DataError(
      text.file, lines.first_line,
      fmt::format("every line has {} numbers, which can be a table ({}) or an adjacency "
                  "list ({}); choose with data.format = table or data.format = "
                  "adjacency",
                  lines.width, table, list));
}

/// One format for all texts that are not JSON lines.
DataFormat decide(std::span<const InteractionText> texts, std::span<const Evidence> evidence) {
  const Evidence* leans_to_table = nullptr;
  const Evidence* leans_to_list = nullptr;
  std::size_t only_table = texts.size();
  std::size_t only_list = texts.size();
  std::size_t undecided = texts.size();
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const Evidence& one = evidence[i];
    if (one.table && !one.list) only_table = i;
    if (one.list && !one.table) only_list = i;
    if (one.list != one.table) continue;
    if (one.leaning == Evidence::Leaning::kTable) leans_to_table = &one;
    if (one.leaning == Evidence::Leaning::kList) leans_to_list = &one;
    if (one.leaning == Evidence::Leaning::kNone) undecided = i;
  }
  if (only_table < texts.size() && only_list < texts.size()) {
    throw DataError(
        texts[only_list].file, 0,
        fmt::format("looks like an adjacency list and {} like a table, expected files of "
                    "one kind; data.format = table or adjacency reads both alike",
                    texts[only_table].file));
  }
  if (only_table < texts.size()) return DataFormat::kTable;
  if (only_list < texts.size()) return DataFormat::kAdjacency;
  if (undecided < texts.size()) refuse_readings(texts[undecided], evidence[undecided].lines);
  if (leans_to_table == nullptr) return DataFormat::kAdjacency;
  // Lines of two numbers read alike; other lists beside a table are unlikely.
  if (leans_to_list != nullptr && leans_to_list->lines.width > 2) {
    refuse_readings(texts[static_cast<std::size_t>(leans_to_list - evidence.data())],
                    leans_to_list->lines);
  }
  return DataFormat::kTable;
}

}  // namespace

std::vector<Reading> recognise(std::span<const InteractionText> texts, const DataOptions& options,
                               PoolUse use) {
  std::vector<Evidence> evidence(texts.size());
  DataFormat format = options.format;
  if (format == DataFormat::kAuto) {
    for (std::size_t i = 0; i < texts.size(); ++i) evidence[i] = examine(texts[i], use);
    const auto is_json = [](const Evidence& one) { return one.json; };
    const auto num_json = std::count_if(evidence.begin(), evidence.end(), is_json);
    if (num_json == static_cast<std::int64_t>(texts.size())) {
      format = DataFormat::kJsonLines;
    } else if (num_json > 0) {
      const auto json = std::find_if(evidence.begin(), evidence.end(), is_json);
      throw DataError(texts[static_cast<std::size_t>(json - evidence.begin())].file, 0,
                      "holds JSON lines and another file does not, expected files of one kind");
    } else if (asks_for_table(options)) {
      format = DataFormat::kTable;
    } else {
      format = decide(texts, evidence);
    }
  }
  std::vector<Reading> readings(texts.size());
  for (std::size_t i = 0; i < texts.size(); ++i) {
    Reading& reading = readings[i];
    reading.format = format;
    if (format != DataFormat::kTable) {
      reading.description = format == DataFormat::kJsonLines ? "JSON lines" : "an adjacency list";
      continue;
    }
    reading.table = recognise_separator(texts[i], options);
    reading.description = fmt::format("{}-separated", separator_name(reading.table));
    if (!evidence[i].reason.empty() && evidence[i].leaning == Evidence::Leaning::kTable) {
      reading.description +=
          fmt::format(", a table because {} (data.format = adjacency reads an adjacency list)",
                      evidence[i].reason);
    }
  }
  return readings;
}

}  // namespace tern
