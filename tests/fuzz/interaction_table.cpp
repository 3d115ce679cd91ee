// The reader of interaction tables. The first bytes are options. Promises: pairs, names and times, or
// the exact message of the refusal, do not depend on the chunks; ids are in range, names are valid
// UTF-8, times are finite; pairs written as quoted CSV are read the same.

#include "host/data/interaction_table.hpp"

#include <array>
#include <cmath>

#include "host/config/value.hpp"
#include "host/support/utf8.hpp"
#include "tests/fuzz/targets.hpp"

namespace tern::fuzz {
namespace {

constexpr std::array<const char*, 8> kColumns{"", "1", "2", "3", "user", "item", "none", "x y"};

const std::array<RowFormat, 8> kRowFormats{TableFormat::kTsv,
                                           TableFormat{';', Separation::kOne, Quotes::kDouble},
                                           TableFormat{':', Separation::kDoubled, Quotes::kNone},
                                           TableFormat{':', Separation::kDoubled, Quotes::kDouble},
                                           TableFormat{' ', Separation::kBlanks, Quotes::kNone},
                                           TableFormat{' ', Separation::kBlanks, Quotes::kDouble},
                                           TableFormat{'\t', Separation::kOne, Quotes::kDouble},
                                           JsonLines{}};

struct TableOptions {
  RowFormat format = TableFormat::kTsv;
  DataOptions data = {};
  bool known_users = false;
  std::size_t chunk_bytes = 1;
};

TableOptions take_table_options(Input& input) {
  TableOptions options;
  const unsigned flags = input.byte();
  options.format = kRowFormats[flags / 8 % 8];
  if (flags / 8 % 8 == 0 && (flags & 1) != 0) options.format = TableFormat::kCsv;
  if ((flags & 2) != 0) options.data.min_rating = 3.0;
  options.known_users = (flags & 4) != 0;
  const unsigned ids = input.byte();
  options.data.user_column = kColumns[ids % 8];
  options.data.item_column = kColumns[ids / 8 % 8];
  const unsigned numbers = input.byte();
  options.data.rating_column = kColumns[numbers % 8];
  options.data.timestamp_column = kColumns[numbers / 8 % 8];
  options.chunk_bytes = 1 + input.byte() % 64;
  return options;
}

struct Read {
  InteractionTable table;
  Vocabulary users;
  Vocabulary items;
};

Read read(std::string_view text, const TableOptions& options, std::size_t chunk_bytes) {
  Read read;
  if (options.known_users) read.users = Vocabulary::numbered(3);
  read.table = chunk_bytes == 0 ? parse_interactions(text, "table", options.format, options.data,
                                                     read.users, read.items)
                                : parse_interactions(text, "table", options.format, options.data,
                                                     read.users, read.items, chunk_bytes);
  return read;
}

void require_same_names(const Vocabulary& a, const Vocabulary& b) {
  require(a.size() == b.size(), "the number of names depends on the cuts");
  for (NodeId id = 0; id < a.size(); ++id) {
    require(a.name(id) == b.name(id), "names depend on the cuts");
    require(a.find(a.name(id)) == id, "a name is not found under its id");
    require(!a.name(id).empty() &&
                a.name(id).find_first_of(std::string("\t\n\0", 3)) == std::string::npos,
            "a name is none");
    require(is_utf8(a.name(id)), "a name is not UTF-8");
  }
}

std::string quoted(const std::string& name) {
  std::string out = "\"";
  for (const char c : name) out.append(c == '"' ? 2 : 1, c);
  return out + '"';
}

/// Without a header: a pair may be named as any header is, and would count as its repetition.
std::string written(const Read& read) {
  std::string text;
  for (std::size_t e = 0; e < read.table.pairs.size(); ++e) {
    const auto& [user, item] = read.table.pairs[e];
    text += quoted(read.users.name(user)) + ',' + quoted(read.items.name(item));
    if (read.table.has_times) text += ',' + shortest_text(read.table.times[e]);
    text += '\n';
  }
  return text;
}

void check(const Read& read) {
  const InteractionTable& table = read.table;
  require_one_line(table.columns);
  for (const std::string& warning : table.warnings) require_one_line(warning);
  require(table.times.size() == (table.has_times ? table.pairs.size() : 0), "times do not fit");
  for (const auto& [user, item] : table.pairs) {
    require(user >= 0 && user < read.users.size(), "a user is out of range");
    require(item >= 0 && item < read.items.size(), "an item is out of range");
  }
  for (const double time : table.times) require(std::isfinite(time), "a time is not finite");

  if (table.pairs.empty()) return;  // written, it would be an empty file, which is refused
  TableOptions plain;
  plain.format = TableFormat::kCsv;
  plain.data.header = HeaderRow::kNo;
  plain.data.user_column = "1";
  plain.data.item_column = "2";
  plain.data.rating_column = "none";
  plain.data.timestamp_column = table.has_times ? "3" : "none";
  const Read again = fuzz::read(written(read), plain, 0);
  require(again.table.pairs.size() == table.pairs.size(), "written, pairs are lost");
  require(again.table.times == table.times, "written, times change");
  for (std::size_t e = 0; e < table.pairs.size(); ++e) {
    require(again.users.name(again.table.pairs[e].user) == read.users.name(table.pairs[e].user) &&
                again.items.name(again.table.pairs[e].item) == read.items.name(table.pairs[e].item),
            "written, names change");
  }
}

}  // namespace

void read_interaction_table(Input input) {
  const TableOptions options = take_table_options(input);
  const std::string_view text = input.rest();
  const auto whole = attempt([&] { return read(text, options, 0); });
  const auto pieces = attempt([&] { return read(text, options, options.chunk_bytes); });
  require(whole.index() == pieces.index(), "cut text is refused, or whole text is");
  if (accepted(whole) == nullptr) {
    require(std::get<1>(whole) == std::get<1>(pieces), "the refusal depends on the cuts");
    return;
  }
  const InteractionTable& a = accepted(whole)->table;
  const InteractionTable& b = accepted(pieces)->table;
  require(a.pairs == b.pairs && a.times == b.times && a.has_times == b.has_times &&
              a.below_min_rating == b.below_min_rating && a.blank_lines == b.blank_lines &&
              a.columns == b.columns && a.ratings == b.ratings,
          "the table depends on the cuts");
  require_same_names(accepted(whole)->users, accepted(pieces)->users);
  require_same_names(accepted(whole)->items, accepted(pieces)->items);
  check(*accepted(whole));
}

}  // namespace tern::fuzz
